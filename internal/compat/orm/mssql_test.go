package orm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"unicode/utf16"

	_ "github.com/microsoft/go-mssqldb"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// No SQL Server runs here. The driver talks to one that knows a few words of
// its protocol: it accepts every login and statement, and answers every SELECT
// with the two books.
var mssqlBackend = &backend{driver: "sqlserver"}

var mssqlPrograms = []program{{
	name: "mssql",
	on:   []*backend{mssqlBackend},
	run: func(a *app) {
		tx, err := a.db.BeginTx(a.ctx, nil)
		a.must(err)
		for _, s := range makeBooks {
			_, err := tx.ExecContext(a.ctx, s)
			a.must(err)
		}
		a.must(tx.Commit())
		rows, err := a.db.QueryContext(a.ctx, "SELECT id, title, pages FROM book")
		a.must(err)
		a.readBooks(rows)
	},
	leaks: []leak{
		{"mssql rows", tracker.KindRows, func(a *app) func() error {
			rows, err := a.db.Query("SELECT id, title, pages FROM book") // leak: mssql rows
			a.must(err)
			return rows.Close
		}},
		{"mssql transaction", tracker.KindTx, func(a *app) func() error {
			tx, err := a.db.Begin() // leak: mssql transaction
			a.must(err)
			return tx.Rollback
		}},
		{"mssql statement", tracker.KindStmt, func(a *app) func() error {
			stmt, err := a.db.Prepare("SELECT id, title, pages FROM book") // leak: mssql statement
			a.must(err)
			return stmt.Close
		}},
	},
}}

// Packets and tokens of the protocol (MS-TDS), as far as the server has them.
const (
	tdsReply       = 4
	tdsAttention   = 6
	tdsTransaction = 14
	tdsLogin       = 16
	tdsPrelogin    = 18

	allHeaders = 22 // what comes before a request
)

var (
	// Version 11, no encryption.
	preloginAnswer = []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 11, 0, 0, 0, 0, 0, 2}
	// LOGINACK: SQL, version 7.4, a name, version 11.
	loginAck     = append(tdsToken(0xad, append(append([]byte{1, 0x74, 0, 0, 4, 4}, utf16le("fake")...), 11, 0, 0, 0)), done(0)...)
	attentionAck = append([]byte{0xfd, 0x20}, make([]byte, 11)...)
	// ENVCHANGE: the transaction 1 begins, or ends, by which kind of request.
	tranChanges = map[byte][]byte{
		5: append(tdsToken(0xe3, []byte{8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0}), done(0)...),
		7: append(tdsToken(0xe3, []byte{9, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0}), done(0)...),
		8: append(tdsToken(0xe3, []byte{10, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0}), done(0)...),
	}
	// COLMETADATA: an INT, an NVARCHAR(40), an INT.
	columns = bytes.Join([][]byte{
		{0x81, 3, 0},
		{0, 0, 0, 0, 0, 0, 0x38, 2}, utf16le("id"),
		{0, 0, 0, 0, 0, 0, 0xe7, 80, 0, 9, 4, 0xd0, 0, 0x34, 5}, utf16le("title"),
		{0, 0, 0, 0, 0, 0, 0x38, 5}, utf16le("pages"),
	}, nil)
	books = bytes.Join([][]byte{columns, bookRow(1, "Emma", 474), bookRow(2, "Ulysses", 730), done(2)}, nil)
)

// done is the DONE token.
func done(rows byte) []byte {
	status := byte(0)
	if rows > 0 {
		status = 0x10 // the number is valid
	}
	return []byte{0xfd, status, 0, 0, 0, rows, 0, 0, 0, 0, 0, 0, 0}
}

// tdsToken is a token that has its length.
func tdsToken(kind byte, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint16([]byte{kind}, uint16(len(body))), body...)
}

func bookRow(id uint32, title string, pages uint32) []byte {
	row := binary.LittleEndian.AppendUint32([]byte{0xd1}, id)
	row = binary.LittleEndian.AppendUint16(row, uint16(2*len(title)))
	row = append(row, utf16le(title)...)
	return binary.LittleEndian.AppendUint32(row, pages)
}

func utf16le(s string) (b []byte) {
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

// startMSSQL runs the server. What it returns ends it.
func startMSSQL(ctx context.Context) (dsn string, stop func() error, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	var sessions sync.WaitGroup
	failed := make(chan error, 1)
	sessions.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			sessions.Go(func() {
				defer c.Close()
				if err := serveMSSQL(c); err != nil {
					select {
					case failed <- fmt.Errorf("SQL Server's stand-in: %w", err):
					default:
					}
				}
			})
		}
	})
	stop = func() error {
		err := l.Close()
		sessions.Wait()
		close(failed)
		return errors.Join(err, <-failed)
	}
	return "sqlserver://app:secret@" + l.Addr().String() + "?encrypt=disable", stop, nil
}

// serveMSSQL answers each message, until the client has gone.
func serveMSSQL(c net.Conn) error {
	for {
		kind, message, err := readMessage(c)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var answer []byte
		switch {
		case kind == tdsPrelogin:
			answer = preloginAnswer
		case kind == tdsAttention: // from a client that has seen enough
			answer = attentionAck
		case kind == tdsLogin:
			answer = loginAck
		case kind == tdsTransaction && len(message) > allHeaders:
			answer = tranChanges[message[allHeaders]]
		case bytes.Contains(message, utf16le("SELECT")):
			answer = books
		default:
			answer = done(0)
		}
		head := []byte{tdsReply, 1, 0, 0, 0, 0, 1, 0}
		binary.BigEndian.PutUint16(head[2:], uint16(len(head)+len(answer)))
		if _, err := c.Write(append(head, answer...)); err != nil {
			return err
		}
	}
}

// readMessage reads the packets of a message.
func readMessage(r io.Reader) (kind byte, message []byte, err error) {
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return 0, nil, err
		}
		packet := make([]byte, int(binary.BigEndian.Uint16(head[2:]))-len(head))
		if _, err := io.ReadFull(r, packet); err != nil {
			return 0, nil, err
		}
		message = append(message, packet...)
		if last := head[1]&1 != 0; last {
			return head[0], message, nil
		}
	}
}

package serverview

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// MySQLDialer makes a dial function that learns connection ids for [Enable]
// from the greeting with which a MariaDB or MySQL server begins. It only peeks:
// the driver reads the greeting itself. It is for Config.DialFunc of
// github.com/go-sql-driver/mysql; dial is what would be there otherwise, and nil
// is what the driver does by itself.
//
// It waits for the greeting, as the driver would do next; for a second at most.
// Ids are learned over TCP and Unix sockets, with or without TLS and
// compression, on Unix systems, and if what dial returns is the socket itself.
func MySQLDialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if told, ok := ctx.Value(greetedKey{}).(*greeted); ok {
			told.listen(ctx, conn)
		}
		return conn, nil
	}
}

// greetedKey is of the *greeted that the context of a connect carries.
type greetedKey struct{}

// greeted is what the dial function learned in the course of a connect.
type greeted struct {
	id     uint64
	server string
}

func (g *greeted) session() *record.ServerID {
	if g.id == 0 {
		return nil
	}
	return newSession(g.id, g.server)
}

// greetingWait bounds the wait for a greeting.
const greetingWait = time.Second

// listen learns the id from the connection's greeting. The last of several
// dials for one connect is the one that counts.
func (g *greeted) listen(ctx context.Context, conn net.Conn) {
	*g = greeted{}
	defer func() { recover() }() // the connection may be of any type
	deadline := time.Now().Add(greetingWait)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if ctx.Err() != nil || conn.SetReadDeadline(deadline) != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	head := peek(conn, isWhole)
	if stop() { // else the driver closes it
		conn.SetReadDeadline(time.Time{})
	}
	if id, ok := greetingID(head); ok {
		g.id, g.server = uint64(id), conn.RemoteAddr().String()
	}
}

// maxHead is how much is looked at: the version of a server is shorter.
const maxHead = 512

// isWhole reports whether more of the greeting wouldn't tell more.
func isWhole(head []byte) bool {
	if len(head) < 5 {
		return false
	}
	_, ok := greetingID(head)
	return ok || head[4] != protocolVersion || len(head) == maxHead
}

// protocolVersion is of all servers of the last 25 years.
const protocolVersion = 10

// greetingID reads the id from a packet of protocol 10: 3 bytes of length, a
// sequence number, the protocol's version, the server's version up to a zero,
// the id in 4 bytes.
func greetingID(b []byte) (id uint32, ok bool) {
	if len(b) < 5 || b[3] != 0 || b[4] != protocolVersion {
		return 0, false
	}
	_, rest, found := bytes.Cut(b[5:], []byte{0})
	if !found || len(rest) < 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(rest), true
}

package dbserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// postgresExec connects to the server through its Unix socket as its
// administrator and runs statements. Without any it tells whether the server
// answers. It speaks as much of PostgreSQL's protocol as that takes, version 3:
// a message is a type byte, a length that includes itself, and a body.
func postgresExec(ctx context.Context, s *Server, statements ...string) error {
	conn, done, err := s.dialSocket(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := pgConnect(conn, s.Admin.User, "postgres"); err != nil {
		return err
	}
	for _, sql := range statements {
		verb, _, _ := strings.Cut(sql, "'") // the rest may be a password
		if err := pgRoundTrip(conn, pgMessage([]byte{'Q'}, append([]byte(sql), 0))); err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
	}
	return nil
}

// pgConnect opens a session. Its message is the only one without a type.
func pgConnect(conn io.ReadWriter, user, database string) error {
	const protocol = 3 << 16
	startup := binary.BigEndian.AppendUint32(nil, protocol)
	startup = append(startup, "user\x00"+user+"\x00database\x00"+database+"\x00\x00"...)
	if err := pgRoundTrip(conn, pgMessage(nil, startup)); err != nil {
		return fmt.Errorf("connect as %s: %w", user, err)
	}
	return nil
}

// pgMessage appends a message's length and body to its type.
func pgMessage(kind, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(kind, uint32(4+len(body))), body...)
}

// pgRoundTrip sends a message and reads until the server is ready for the
// next. An error of the server is the error.
func pgRoundTrip(conn io.ReadWriter, message []byte) error {
	if _, err := conn.Write(message); err != nil {
		return err
	}
	var failed error
	for {
		var head [5]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return errors.Join(failed, err) // it hangs up after a fatal error
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(conn, body); err != nil {
			return errors.Join(failed, err)
		}
		switch head[0] {
		case 'E':
			failed = pgError(body)
		case 'R':
			if method := binary.BigEndian.Uint32(body); method != 0 {
				return fmt.Errorf("asked for a password (method %d)", method)
			}
		case 'Z':
			return failed
		}
	}
}

// pgError makes an error of an error message's fields, each of which is a type
// byte and a string that ends with a zero.
func pgError(body []byte) error {
	fields := map[byte]string{}
	for field := range strings.SplitSeq(string(body), "\x00") {
		if field != "" {
			fields[field[0]] = field[1:]
		}
	}
	return fmt.Errorf("%s: %s (SQLSTATE %s)", fields['S'], fields['M'], fields['C'])
}

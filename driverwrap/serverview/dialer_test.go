package serverview

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func greeting(version string, id ...byte) []byte {
	body := append([]byte{10}, version...)
	body = append(append(body, 0), id...)
	return append([]byte{byte(len(body)), 0, 0, 0}, body...)
}

func TestGreetingID(t *testing.T) {
	whole := greeting("10.11.19-MariaDB", 0x2a, 1, 0, 0, 'r', 'e', 's', 't')
	tests := map[string]struct {
		packet []byte
		id     uint32
		ok     bool
	}{
		"MariaDB":           {whole, 0x12a, true},
		"high id":           {greeting("8.4.3", 0xff, 0xff, 0xff, 0xff), 0xffffffff, true},
		"cut in the id":     {whole[:len(whole)-5], 0, false},
		"cut in the name":   {whole[:9], 0, false},
		"empty":             {nil, 0, false},
		"error instead":     {[]byte{5, 0, 0, 0, 0xff, 0x10, 0x04, 'T', 'o'}, 0, false},
		"another protocol":  {[]byte{5, 0, 0, 0, 9, 'x', 0, 1, 0, 0, 0}, 0, false},
		"not the first one": {[]byte{5, 0, 0, 2, 10, 'x', 0, 1, 0, 0, 0}, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if id, ok := greetingID(tt.packet); id != tt.id || ok != tt.ok {
				t.Errorf("id %d, %v, want %d, %v", id, ok, tt.id, tt.ok)
			}
		})
	}
}

// serve answers one connection and returns where.
func serve(t *testing.T, answer func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		answer(conn)
		io.Copy(io.Discard, conn) // until the client is gone
	}()
	return l.Addr().String()
}

// What the dialer looks at is there for the driver, to the last byte, in however
// many pieces it comes; and no deadline is left.
func TestMySQLDialer(t *testing.T) {
	packet := greeting("10.11.19-MariaDB", 7, 0, 0, 0, 's', 'a', 'l', 't')
	tests := map[string]struct {
		answer func(net.Conn)
		read   int
		id     uint64
	}{
		"at once": {func(c net.Conn) { c.Write(packet) }, len(packet), 7},
		"byte by byte": {func(c net.Conn) {
			for i := range packet {
				c.Write(packet[i : i+1])
			}
		}, len(packet), 7},
		"closed": {func(c net.Conn) { c.(*net.TCPConn).CloseWrite() }, 0, 0},
		"error":  {func(c net.Conn) { c.Write([]byte{3, 0, 0, 0, 0xff, 0x10, 0x04}) }, 7, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var told greeted
			ctx := context.WithValue(t.Context(), greetedKey{}, &told)
			conn, err := MySQLDialer(nil)(ctx, "tcp", serve(t, tt.answer))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if told.id != tt.id || tt.id != 0 && told.server != conn.RemoteAddr().String() {
				t.Errorf("learned %+v, want id %d", told, tt.id)
			}
			if n, err := io.ReadFull(conn, make([]byte, tt.read)); err != nil {
				t.Errorf("%d of %d bytes are left: %v", n, tt.read, err)
			}
		})
	}
}

// A server that says nothing keeps nobody for longer than the context, or a
// second.
func TestMySQLDialerSilence(t *testing.T) {
	for name, ctx := range map[string]func() (context.Context, context.CancelFunc){
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 50*time.Millisecond)
		},
		"cancelled": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		},
		"neither": func() (context.Context, context.CancelFunc) { return t.Context(), func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := ctx()
			defer cancel()
			var told greeted
			began := time.Now()
			conn, err := MySQLDialer(nil)(context.WithValue(ctx, greetedKey{}, &told), "tcp", serve(t, func(net.Conn) {}))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if took := time.Since(began); told.id != 0 || took > 30*time.Second {
				t.Errorf("learned %+v in %v", told, took)
			}
		})
	}
}

// hostile panics at what the dialer does with it.
type hostile struct{ net.Conn }

func TestMySQLDialerOtherConnections(t *testing.T) {
	dial := func(conn net.Conn, err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return conn, err }
	}
	ctx := context.WithValue(t.Context(), greetedKey{}, new(greeted))
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	for _, conn := range []net.Conn{hostile{}, pipe} {
		if got, err := MySQLDialer(dial(conn, nil))(ctx, "tcp", ""); got != conn || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
	refused := errors.New("refused")
	if got, err := MySQLDialer(dial(nil, refused))(ctx, "tcp", ""); got != nil || err != refused {
		t.Errorf("got %v, %v", got, err)
	}
}

package httpdebug

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever takes their time, or is gone, keeps nobody else waiting.
func TestLiveSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newChanging()
		slow := &listener{header: http.Header{}, ended: make(chan bool), slow: 10 * liveTick}
		gone := &listener{header: http.Header{}, ended: make(chan bool), fails: errors.New("gone")}
		slow.start(t, h, "")
		gone.start(t, h, "")
		<-gone.ended
		l := listen(t, h, "")
		pass(10 * liveTick)
		if l.count() < 10 || slow.count() > 2 {
			t.Errorf("%d events, and %d for the slow one", l.count(), slow.count())
		}
		slow.cancel()
		<-slow.ended
	})
}

// A client that is connected and reads nothing is dropped, and a server that
// shuts down waits no longer for it.
func TestLiveStuckClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newChanging()
		l := &pipe{conns: make(chan net.Conn), closed: make(chan bool)}
		srv := &http.Server{Handler: alwaysLocal(h)}
		go srv.Serve(l)
		client, server := net.Pipe()
		l.conns <- server
		fmt.Fprintf(client, "GET %sevents HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", prefix)
		if answer, err := bufio.NewReader(io.LimitReader(client, 20)).ReadString('\n'); err != nil || answer != "HTTP/1.1 200 OK\r\n" {
			t.Errorf("%q, %v", answer, err)
		}
		synctest.Wait()
		if h.live.streams != 1 {
			t.Fatalf("%d streams", h.live.streams)
		}
		began := time.Now()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > liveWrite+time.Second {
			t.Errorf("the server took %v to shut down", took)
		}
		if h.live.streams != 0 {
			t.Errorf("%d streams are left", h.live.streams)
		}
	})
}

// pipe is a listener for connections within the process.
type pipe struct {
	conns  chan net.Conn
	closed chan bool
	once   sync.Once
}

func (p *pipe) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// alwaysLocal makes up for connections that have no address.
func alwaysLocal(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "127.0.0.1:40000"
		next.ServeHTTP(w, r)
	})
}

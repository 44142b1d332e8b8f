package serverview

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// open opens a DB whose driver's calls go to before first.
func open(t *testing.T, before func(ctx context.Context, call, query string) error, opts ...Option) (*sql.DB, *tracker.Tracker) {
	t.Helper()
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	c := &nopdriver.Connector{Before: before}
	return driverwrap.OpenDB(c, driverwrap.WithTracker(tr), driverwrap.WithName("shop"), Enable(opts...)), tr
}

// Whatever becomes of the question for a number, the application gets a
// connection that works, and soon nobody asks any more.
func TestAskIDHarmsNobody(t *testing.T) {
	for name, answer := range map[string]func(context.Context) error{
		"error":  func(context.Context) error { return errors.New("no such function: VERSION") },
		"broken": func(context.Context) error { return driver.ErrBadConn },
		"panic":  func(context.Context) error { panic("in the driver") },
		"silence": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var connects, asked, closed atomic.Int32
				db, tr := open(t, func(ctx context.Context, call, query string) error {
					switch {
					case call == "connect":
						connects.Add(1)
					case call == "close":
						closed.Add(1)
					case call == "query" && strings.HasPrefix(query, "SELECT VERSION"):
						asked.Add(1)
						return answer(ctx)
					}
					return nil
				}, AskID())
				defer db.Close()
				for range maxUnanswered + 2 {
					conn, err := db.Conn(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					if err := conn.PingContext(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if n := connects.Load(); n != 2*maxUnanswered+2 || connects.Load()-closed.Load() != maxUnanswered+2 {
					t.Errorf("%d connects, %d closed", n, closed.Load())
				}
				if n := tr.Connections(); len(n) > 0 {
					t.Errorf("numbers were learned: %+v", n)
				}
			})
		})
	}
}

// A connect that fails fails as it does on the bare driver.
func TestConnectError(t *testing.T) {
	refused := errors.New("refused")
	db, tr := open(t, func(_ context.Context, call, _ string) error {
		if call == "connect" {
			return refused
		}
		return nil
	}, AskID(), nil)
	defer db.Close()
	if err := db.Ping(); err != refused {
		t.Errorf("error %v", err)
	}
	v, err := Look(t.Context(), tr, OnlyPool("shop"))
	if !errors.Is(err, refused) || len(v.Servers) != 1 || v.Servers[0].Error != "connect: refused" {
		t.Errorf("error %v, view\n%s", err, v)
	}
	if _, err := Look(t.Context(), tr, OnlyPool("bar")); err != errNotEnabled {
		t.Errorf("no such pool: %v", err)
	}
}

// A driver that panics or ignores the context harms only the look.
func TestLookAtHostileDriver(t *testing.T) {
	release := make(chan struct{})
	var hang atomic.Bool
	db, tr := open(t, func(_ context.Context, call, _ string) error {
		if call != "connect" {
			return nil
		}
		if hang.Load() {
			<-release
		}
		panic("in Connect")
	})
	defer db.Close()
	if _, err := Look(t.Context(), tr); err == nil || !strings.Contains(err.Error(), "the driver panicked: in Connect") {
		t.Errorf("error %v", err)
	}
	hang.Store(true)
	for _, want := range []string{"no answer from the server", "another look is still waiting"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := Look(ctx, tr)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	close(release)
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		if _, err := Look(t.Context(), tr); err != nil && strings.Contains(err.Error(), "panicked") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("looks go on failing: %v", err)
		}
	}
}

// What is needed for a look doesn't keep a DB: once its rows are lost and it is
// closed, nothing is left to connect with.
func TestLookKeepsNoDB(t *testing.T) {
	_, tr := func() (*sql.DB, *tracker.Tracker) {
		db, tr := open(t, nil)
		if _, err := db.Query("rows 3"); err != nil {
			t.Fatal(err)
		}
		db.Close()
		return nil, tr
	}()
	for deadline := time.Now().Add(time.Minute); ; runtime.GC() {
		if _, err := Look(t.Context(), tr); err != nil && strings.Contains(err.Error(), "the DB is gone") {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("the DB is kept: %v", err)
		}
	}
}

func TestLookWithoutTracker(t *testing.T) {
	if _, err := Look(t.Context(), nil); err != errNotEnabled {
		t.Errorf("error %v", err)
	}
}

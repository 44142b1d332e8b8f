package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// counter is a probe that gives each connection the next number.
type counter struct {
	last uint64
	err  error
}

func (p *counter) Connect(ctx context.Context, c driver.Connector) (driver.Conn, *record.ServerID, error) {
	conn, err := c.Connect(ctx)
	if err != nil || p.err != nil {
		return nil, nil, errors.Join(err, p.err)
	}
	p.last++
	return conn, &record.ServerID{ID: p.last, Server: "db1", Since: time.Now()}, nil
}

// However a DB is opened, its connections are made by the probe, and the tracker
// knows what it learned for as long as they are open, and that they were closed.
func TestProbe(t *testing.T) {
	bare := &nopdriver.Connector{}
	ways := map[string]func(opts ...driverwrap.Option) *sql.DB{
		"OpenDB": func(opts ...driverwrap.Option) *sql.DB { return driverwrap.OpenDB(bare, opts...) },
		"WrapConnector": func(opts ...driverwrap.Option) *sql.DB {
			return sql.OpenDB(driverwrap.WrapConnector(bare, opts...))
		},
		"Wrap": func(opts ...driverwrap.Option) *sql.DB {
			c, err := driverwrap.Wrap(bare.Driver(), opts...).(driver.DriverContext).OpenConnector("")
			if err != nil {
				t.Fatal(err)
			}
			return sql.OpenDB(c)
		},
		// Another wrapper in between: the record gives way to the outer one.
		"twice": func(opts ...driverwrap.Option) *sql.DB {
			return driverwrap.OpenDB(passing{driverwrap.WrapConnector(bare, opts...)}, opts[:1]...)
		},
	}
	for name, open := range ways {
		t.Run(name, func(t *testing.T) {
			tr, err := tracker.New()
			if err != nil {
				t.Fatal(err)
			}
			p := &counter{}
			db := open(driverwrap.WithTracker(tr), driverwrap.WithProbe(p))
			defer db.Close()
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c := tr.Connections(); len(c) != 1 || c[0].ID != 1 || c[0].Server != "db1" || len(c[0].Findings) != 1 ||
				c[0].Findings[0].Kind != tracker.KindConn || !c[0].ClosedAt.IsZero() {
				t.Errorf("connections %+v, want 1, in use", c)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			if c := tr.Connections(); len(c) != 1 || len(c[0].Findings) != 0 {
				t.Errorf("connections %+v, want 1, idle", c)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if c := tr.Connections(); len(c) != 1 || c[0].ID != 1 || c[0].ClosedAt.IsZero() || c[0].LastSite.Line == 0 {
				t.Errorf("connections %+v, want 1, closed", c)
			}
		})
	}
}

// passing is a connector of another package around one of this package's.
type passing struct{ driver.Connector }

func TestProbeError(t *testing.T) {
	refused := errors.New("refused")
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr), driverwrap.WithProbe(&counter{err: refused}))
	defer db.Close()
	if err := db.Ping(); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if s := tr.Snapshot(); len(s.Pools) != 1 || s.Pools[0].InUse+s.Pools[0].Idle > 0 || len(tr.Connections()) > 0 {
		t.Errorf("a connection is recorded: %+v", s.Pools)
	}
}

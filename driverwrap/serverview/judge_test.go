package serverview

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// newLook is what a server would have said of sessions 1 to n.
func newLook(n uint64) *look {
	l := &look{
		flavor: postgresFlavor, id: 99, shared: true, uptime: time.Hour,
		sessions: map[uint64]*Session{99: {ID: 99, User: "app"}}, starts: make(map[uint64]time.Duration),
	}
	for id := range n {
		l.sessions[id+1] = &Session{ID: id + 1, User: "app", State: StateIdle}
	}
	return l
}

func TestGraph(t *testing.T) {
	tests := map[string]struct {
		waits  [][2]uint64
		roots  map[uint64]string
		blocks map[uint64]string
	}{
		"one":          {[][2]uint64{{2, 1}}, map[uint64]string{2: "[1]"}, map[uint64]string{1: "[2]"}},
		"queue":        {[][2]uint64{{2, 1}, {3, 1}, {3, 2}, {4, 3}}, map[uint64]string{2: "[1]", 3: "[1]", 4: "[1]"}, map[uint64]string{1: "[2 3 4]", 2: "[3 4]", 3: "[4]"}},
		"two roots":    {[][2]uint64{{3, 1}, {3, 2}}, map[uint64]string{3: "[1 2]"}, map[uint64]string{1: "[3]", 2: "[3]"}},
		"circle":       {[][2]uint64{{1, 2}, {2, 1}, {3, 1}}, nil, map[uint64]string{1: "[2 3]", 2: "[1 3]"}},
		"itself":       {[][2]uint64{{1, 1}}, nil, nil},
		"gone blocker": {[][2]uint64{{1, 50}}, nil, nil},
		"gone waiter":  {[][2]uint64{{50, 1}}, nil, nil},
		"said twice":   {[][2]uint64{{2, 1}, {2, 1}}, map[uint64]string{2: "[1]"}, map[uint64]string{1: "[2]"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLook(4)
			for _, w := range tt.waits {
				l.wait(w[0], Block{By: w[1], Lock: "row"})
			}
			l.graph()
			for id := range uint64(4) {
				s := l.sessions[id+1]
				if got := fmt.Sprint(s.Roots); got != orNone(tt.roots[s.ID]) {
					t.Errorf("roots of %d: %s, want %s", s.ID, got, tt.roots[s.ID])
				}
				if got := fmt.Sprint(s.Blocks); got != orNone(tt.blocks[s.ID]) {
					t.Errorf("%d blocks %s, want %s", s.ID, got, tt.blocks[s.ID])
				}
			}
		})
	}
}

func orNone(list string) string {
	if list == "" {
		return "[]"
	}
	return list
}

// A connection is tied to a session only if it can't be another's: else a person
// would end the wrong one.
func TestJoin(t *testing.T) {
	now := time.Now()
	tests := map[string]struct {
		since  time.Duration // of the connection
		start  time.Duration // of the session, where the server tells
		uptime time.Duration
		user   string
		want   bool
	}{
		"started together":          {since: time.Minute, start: time.Minute + time.Second, want: true},
		"began long before":         {since: time.Minute, start: time.Hour},
		"began after":               {since: time.Minute, start: 10 * time.Second},
		"start not told":            {since: time.Minute},
		"server was up":             {since: time.Minute, uptime: time.Hour, user: "app", want: true},
		"server restarted meantime": {since: time.Minute, uptime: 10 * time.Second, user: "app"},
		"another account":           {since: time.Minute, uptime: time.Hour, user: "other"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLook(1)
			l.uptime = tt.uptime
			if tt.start > 0 {
				l.starts[1] = tt.start
			}
			got := l.join(tracker.Connection{ID: 1, Since: now.Add(-tt.since)}, tt.user)
			if (got != nil) != tt.want {
				t.Errorf("joined: %v", got != nil)
			}
			if l.join(tracker.Connection{ID: 2}, "") != nil {
				t.Error("joined with a session that isn't there")
			}
		})
	}
}

// A connection in use that the server doesn't have is said to be gone, unless
// the server may merely not show it. An idle one is left to the pool.
func TestGone(t *testing.T) {
	inUse := tracker.Connection{ID: 7, Since: time.Now(), Pool: "shop", Findings: []tracker.Finding{{Kind: tracker.KindTx}}}
	idle := tracker.Connection{ID: 8, Since: time.Now(), Pool: "shop"}
	for why, change := range map[string]func(*look){
		"":                func(*look) {},
		"partial":         func(l *look) { l.partial = true },
		"another account": func(l *look) { l.shared = false },
		"hidden": func(l *look) {
			l.uptime = 0 // nothing tells whose it is
			l.sessions[7] = &Session{ID: 7, User: "app", State: StateHidden}
		},
	} {
		l := newLook(1)
		change(l)
		var out Server
		l.judge(&out, connections{own: []tracker.Connection{inUse, idle}, elsewhere: 3})
		if out.Open != 2 || out.InUse != 1 || (len(out.Sessions) == 1) != (why == "") {
			t.Errorf("%q: %+v", why, out)
		}
		if why == "" && (out.Sessions[0].State != StateGone || strings.Contains(out.String(), "to end it")) {
			t.Errorf("the view is\n%s", out)
		}
		if len(out.Notices) != 1 || !strings.Contains(out.Notices[0].What, "3 connections of the pool are on another server") {
			t.Errorf("notices %+v", out.Notices)
		}
	}
}

func TestFlavorByVersion(t *testing.T) {
	for version, want := range map[string]*flavor{
		"10.11.19-MariaDB-0+deb12u1":           mariaDBFlavor,
		"5.5.5-10.6.1-MariaDB":                 mariaDBFlavor,
		"8.4.3":                                mySQLFlavor,
		"8.0.35-27":                            mySQLFlavor,
		"5.7.44-log":                           mySQL57Flavor,
		"PostgreSQL 15.18 (Debian 15.18-1) on": postgresFlavor,
		"8.0.11-TiDB-v7.5.0":                   nil,
		"8.0.30-Vitess":                        nil,
		"CockroachDB CCL v23.1":                nil,
		"PostgreSQL 8.0.2 on i686, Redshift 1": nil,
		"":                                     nil,
		"Microsoft SQL Server 2022":            nil,
	} {
		if got := flavorByVersion(version); got != want {
			t.Errorf("%q is taken for %+v", version, got)
		}
	}
}

func TestMetadataLockWaits(t *testing.T) {
	tests := []struct {
		waits string
		holds string
		held  bool
		want  bool
	}{
		{"EXCLUSIVE", "SHARED_WRITE", true, true},
		{"SHARED_READ", "SHARED_READ", true, false},
		{"SHARED_READ", "EXCLUSIVE", false, true}, // it stands before in the queue
		{"EXCLUSIVE", "EXCLUSIVE", false, false},  // who stands first isn't told
		{"EXCLUSIVE", "SHARED_READ", false, false},
		{"SHARED_WRITE", "SHARED_NO_READ_WRITE", true, true},
		{"SHARED_NO_WRITE", "SHARED_READ", true, false},
		{"SHARED_UPGRADABLE", "SHARED_UPGRADABLE", true, true},
	}
	for _, tt := range tests {
		a := metadataLock{session: 1, object: "shop.item", mode: tt.waits, pending: true}
		b := metadataLock{session: 2, object: "shop.item", mode: tt.holds, pending: !tt.held}
		if got := a.waitsFor(b); got != tt.want {
			t.Errorf("%+v waits for %+v: %v", a, b, got)
		}
		other := b
		other.object = "shop.other"
		if a.waitsFor(other) || b.waitsFor(a) && tt.held {
			t.Errorf("%+v and %+v", a, other)
		}
	}
}

// What holds a metadata lock is inferred only if one transaction alone can.
func TestInferMetadataLocks(t *testing.T) {
	for old, want := range map[uint64]string{0: "no transaction", 1: "", 2: "which of the transactions of 2 3"} {
		l := newLook(4)
		l.mysqlOf(1).metadataWait = true
		l.sessions[1].InState = time.Minute
		for id := uint64(2); id < 2+old; id++ {
			l.sessions[id].Tx, l.sessions[id].TxAge = true, time.Hour
		}
		l.sessions[4].Tx, l.sessions[4].TxAge = true, time.Second // too young
		l.inferMetadataLocks()
		blocked := l.sessions[1].BlockedBy
		if want == "" {
			if !slices.Equal(blocked, []Block{{By: 2, Lock: "metadata", Inferred: true}}) || len(l.notices) > 0 {
				t.Errorf("blocked by %+v, notices %+v", blocked, l.notices)
			}
		} else if len(blocked) > 0 || len(l.notices) != 1 || !strings.Contains(l.notices[0].What, want) {
			t.Errorf("%d candidates: blocked by %+v, notices %+v", old, blocked, l.notices)
		}
	}
}

// Whatever a server says, a terminal doesn't act on it.
func TestTextIsPrintable(t *testing.T) {
	l := newLook(0)
	l.sql = true
	s := Session{ID: 1, User: "\x1b[2J", Program: "\u202eevil", State: StateActive, Detail: "a\x07b", Query: l.text("SELECT 'secret', \"name\x1b\"")}
	s.Blocks = []uint64{2}
	text := Server{Pools: []string{"p\x1b"}, Kind: "MariaDB", Version: "1\x1b", Sessions: []Session{s}, Notices: []Notice{{"x\x1b", "y\x1b"}}}.String()
	if strings.ContainsAny(text, "\x1b\x07\u202e") || strings.Contains(text, "secret") {
		t.Errorf("text:\n%q", text)
	}
}

package tracker_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestSiteTotals: each line has its share of the totals, and keeps it.
func TestSiteTotals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		for range 2 {
			conns := []*sql.Conn{connOfOneLine(t, w), connOfOneLine(t, w)}
			tx := must[*sql.Tx](t)(w.Begin())
			pass(time.Minute)
			for _, c := range conns {
				c.Close()
			}
			tx.Rollback()
			pass(time.Minute)
		}
		s := w.tracker.Snapshot()
		sum := tracker.Totals{}
		for i, want := range []struct {
			kind     tracker.Kind
			function string
			tracker.Totals
		}{
			{tracker.KindConn, "connOfOneLine", tracker.Totals{Reported: 4, Overdue: 4, Recovered: 4}},
			{tracker.KindTx, "TestSiteTotals", tracker.Totals{Reported: 2, Overdue: 2, Recovered: 2}},
		} {
			if len(s.SiteTotals) != 2 {
				t.Fatalf("%+v", s.SiteTotals)
			}
			n := s.SiteTotals[i]
			if n.Kind != want.kind || n.Totals != want.Totals || n.Pool != "shop" || !strings.Contains(n.Site.Function, want.function) {
				t.Errorf("%+v, want %+v", n, want)
			}
			sum.Reported, sum.Overdue, sum.Recovered = sum.Reported+n.Reported, sum.Overdue+n.Overdue, sum.Recovered+n.Recovered
		}
		if sum != s.Totals {
			t.Errorf("the lines have %+v of %+v", sum, s.Totals)
		}
		w.done(t)
	})
}

func connOfOneLine(t *testing.T, w *watched) *sql.Conn {
	return must[*sql.Conn](t)(w.Conn(ctx))
}

// TestSiteTotalsAreBounded: lines that come late are in the totals only, and
// take nobody's place.
func TestSiteTotalsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tr := must[*tracker.Tracker](t)(tracker.New())
		names := func() string {
			var list []string
			for _, n := range tr.Snapshot().SiteTotals {
				list = append(list, n.Pool)
			}
			return strings.Join(list, " ")
		}
		var first string
		for i := range 60 {
			db := openNamed(tr, fmt.Sprint("pool", i))
			defer db.Close()
			conn := must[*sql.Conn](t)(db.Conn(ctx))
			pass(time.Minute)
			conn.Close()
			pass(time.Minute)
			if i == 49 {
				first = names()
			}
		}
		s := tr.Snapshot()
		if len(s.SiteTotals) != 50 || names() != first || s.Totals.Reported != 60 || s.Totals.Recovered != 60 {
			t.Errorf("%d lines, %+v, first\n%s\nthen\n%s", len(s.SiteTotals), s.Totals, first, names())
		}
		for _, n := range s.SiteTotals {
			if n.Totals != (tracker.Totals{Reported: 1, Overdue: 1, Recovered: 1}) {
				t.Errorf("%+v", n)
			}
		}
	})
}

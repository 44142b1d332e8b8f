package tracker_test

import (
	"context"
	"database/sql"
	"testing"
	"testing/synctest"
	"time"
)

// The openers are functions of their own, so that their names tell them.

func openAndExit(t *testing.T, ctx context.Context, db *sql.DB) {
	keep(t, must[*sql.Rows](t)(db.QueryContext(ctx, "rows 9")))
}

func openAndBlock(t *testing.T, ctx context.Context, db *sql.DB) {
	rows := must[*sql.Rows](t)(db.QueryContext(ctx, "rows 9"))
	defer rows.Close()
	<-ctx.Done()
}

func openAndWait(t *testing.T, ctx context.Context, db *sql.DB) {
	rows := must[*sql.Rows](t)(db.QueryContext(ctx, "rows 9"))
	defer rows.Close()
	if _, err := db.QueryContext(ctx, "rows 9"); err == nil {
		t.Error("there was a connection more than the limit")
	}
}

func TestOpeners(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		w.SetMaxOpenConns(3)
		ctx, cancel := context.WithCancel(t.Context())
		for _, open := range []func(*testing.T, context.Context, *sql.DB){openAndExit, openAndBlock, openAndWait} {
			go open(t, ctx, w.DB)
			synctest.Wait()
		}
		pass(time.Minute)

		s := w.tracker.Snapshot()
		openers, looked := w.tracker.Openers(s.Findings)
		if !looked || len(openers) != 3 || len(s.Findings) != 3 {
			t.Fatalf("looked is %v; %d openers of %d findings, want 3", looked, len(openers), len(s.Findings))
		}
		for _, f := range s.Findings {
			o := openers[f.ID]
			ok := o.Goroutine == f.Goroutine && o.Count == 1
			switch name := short(f.Site); name {
			case "openAndExit":
				ok = ok && o.State == "exited" && len(o.Stack) == 0
			case "openAndBlock":
				ok = ok && o.WaitsFor == "" && short(o.At) == name && len(o.Stack) > 0
			case "openAndWait":
				ok = ok && o.WaitsFor == "shop" && short(o.At) == name && len(o.Stack) > 0
			default:
				ok = false
			}
			if !ok {
				t.Errorf("of %s: %+v", short(f.Site), o)
			}
		}

		// Of a goroutine that may be younger than the look nothing is said.
		for i := range s.Findings {
			s.Findings[i].Age = -1
		}
		if openers, _ := w.tracker.Openers(s.Findings); len(openers) > 0 {
			t.Errorf("of handles younger than the look: %v", openers)
		}
		cancel()
		synctest.Wait()
		w.done(t)
	})
}

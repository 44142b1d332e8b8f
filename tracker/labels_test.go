package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
	"weak"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

type tenantKey struct{}

func byTenant(ctx context.Context) []tracker.Label {
	if tenant, ok := ctx.Value(tenantKey{}).(string); ok {
		return []tracker.Label{{Key: "tenant", Value: tenant}}
	}
	return nil
}

func TestLabels(t *testing.T) {
	long := strings.Repeat("ä", 60)
	var many []tracker.Label
	for i := range 20 {
		many = append(many, tracker.Label{Key: fmt.Sprint("k", i), Value: "v"})
	}
	for _, tt := range []struct {
		name   string
		labels func(context.Context) []tracker.Label
		want   []tracker.Label
	}{
		{"of the context", byTenant, []tracker.Label{{Key: "tenant", Value: "7"}}},
		{"none", func(context.Context) []tracker.Label { return nil }, nil},
		{"too many", func(context.Context) []tracker.Label { return many }, many[:8]},
		{"too long", func(context.Context) []tracker.Label { return []tracker.Label{{Key: "x" + long, Value: long}} },
			[]tracker.Label{{Key: "x" + strings.Repeat("ä", 49), Value: strings.Repeat("ä", 50)}}},
		{"without a key", func(context.Context) []tracker.Label { return []tracker.Label{{Value: "v"}, {Key: "k"}} },
			[]tracker.Label{{Key: "k"}}},
		{"a panic", func(context.Context) []tracker.Label { panic("labels") }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t, tracker.WithLabels(tt.labels))
			ctx := context.WithValue(ctx, tenantKey{}, "7")
			tx := must[*sql.Tx](t)(w.BeginTx(ctx, nil))
			conn := must[*sql.Conn](t)(w.Conn(ctx))
			rows := must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			stmt := must[*sql.Stmt](t)(w.PrepareContext(ctx, "insert"))
			n := 0
			for _, f := range w.tracker.Snapshot().Open {
				if f.Kind == tracker.KindDB {
					continue
				}
				n++
				if !slices.Equal(f.Labels, tt.want) {
					t.Errorf("%v has labels %q, want %q", f.Kind, f.Labels, tt.want)
				}
				for _, l := range f.Labels {
					if !utf8.ValidString(l.Key + l.Value) {
						t.Errorf("cut within a character: %q", l)
					}
				}
			}
			if n != 4 {
				t.Errorf("%d handles", n)
			}
			stmt.Close()
			rows.Close()
			conn.Close()
			tx.Rollback()
			w.done(t)
		})
	}
}

func TestLabelsInText(t *testing.T) {
	w := watch(t)
	if err := w.tracker.Configure(tracker.WithLabels(byTenant)); err != nil {
		t.Fatal(err)
	}
	tx := must[*sql.Tx](t)(w.BeginTx(context.WithValue(ctx, tenantKey{}, "7"), nil))
	var tb fakeTB
	w.tracker.AssertNoLeaks(&tb, tracker.Grace(0))
	if !contains(tb.String(), "  label   tenant=7\n") {
		t.Errorf("said %q", tb.String())
	}
	tx.Rollback()
	w.done(t)
	if _, err := tracker.New(tracker.WithLabels(nil)); err == nil {
		t.Error("a nil function is accepted")
	}
}

// TestContextIsNotKept: what a context leads to can be collected while its
// handles are open.
func TestContextIsNotKept(t *testing.T) {
	type trace struct{ id [64]byte }
	type traceKey struct{}
	w := watch(t, tracker.WithLabels(func(ctx context.Context) []tracker.Label {
		return []tracker.Label{{Key: "trace", Value: fmt.Sprint(ctx.Value(traceKey{}).(*trace).id[0])}}
	}))
	// Prepare and Conn are what database/sql itself keeps no context of.
	open := func(scoped bool) (conn *sql.Conn, stmt *sql.Stmt, value weak.Pointer[trace]) {
		v := new(trace)
		ctx := context.WithValue(ctx, traceKey{}, v)
		if scoped {
			var end func()
			ctx, end = w.tracker.Scope(ctx, "job")
			defer end()
			ctx = tracker.WithThreshold(ctx, 0)
		}
		return must[*sql.Conn](t)(w.Conn(ctx)), must[*sql.Stmt](t)(w.PrepareContext(ctx, "insert")), weak.Make(v)
	}
	for _, scoped := range []bool{false, true} {
		conn, stmt, value := open(scoped)
		eventually(t, "the context is collected", func() bool { return value.Value() == nil })
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		stmt.Close()
	}
	w.done(t)
}

// TestScopesAllocateNothingPerCall beyond what every call allocates.
func TestScopesAllocateNothingPerCall(t *testing.T) {
	w := watch(t)
	scope, end := w.tracker.Scope(ctx, "job")
	defer end()
	plain, cancel := context.WithCancel(ctx)
	defer cancel()
	allocs := func(ctx context.Context) float64 {
		return testing.AllocsPerRun(100, func() {
			if _, err := w.ExecContext(ctx, "insert"); err != nil {
				t.Error(err)
			}
		})
	}
	if got, want := allocs(scope), allocs(plain); got != want {
		t.Errorf("%v allocations in a scope, %v outside", got, want)
	}
	w.done(t)
}

// BenchmarkContexts measures what a query costs more in a scope, with labels,
// under a guard.
func BenchmarkContexts(b *testing.B) {
	for _, bb := range []struct {
		name string
		opts []tracker.Option
		make func(b *testing.B, tr *tracker.Tracker) context.Context
	}{
		{"plain", nil, func(*testing.B, *tracker.Tracker) context.Context { return ctx }},
		{"value", nil, func(*testing.B, *tracker.Tracker) context.Context { return context.WithValue(ctx, tenantKey{}, "7") }},
		{"cancellable", nil, func(b *testing.B, _ *tracker.Tracker) context.Context { return b.Context() }},
		{"scope", nil, func(_ *testing.B, tr *tracker.Tracker) context.Context {
			ctx, _ := tr.Scope(ctx, "scope")
			return ctx
		}},
		{"labels", []tracker.Option{tracker.WithLabels(byTenant)}, func(*testing.B, *tracker.Tracker) context.Context {
			return context.WithValue(ctx, tenantKey{}, "7")
		}},
		{"guard", nil, func(b *testing.B, tr *tracker.Tracker) context.Context { tr.Guard(b); return ctx }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			tr, err := tracker.New(bb.opts...)
			if err != nil {
				b.Fatal(err)
			}
			db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
			defer db.Close()
			ctx := bb.make(b, tr)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := db.ExecContext(ctx, "insert"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("scope and its end", func(b *testing.B) {
		tr, err := tracker.New()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			_, end := tr.Scope(ctx, "scope")
			end()
		}
	})
}

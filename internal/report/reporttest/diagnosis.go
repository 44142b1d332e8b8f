package reporttest

import (
	"reflect"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// Diagnosis is of the shop of Snapshot: two checkouts wait for each other, and
// others for them.
func Diagnosis() tracker.Diagnosis {
	waiting := stack("(*DB).conn", 1369, items, checkout)
	holding := findings()[1]
	holding.Count = 2
	return tracker.Diagnosis{
		TakenAt: Now, Goroutines: 41,
		Pools: []tracker.PoolDiagnosis{
			{
				Pool: "orders", PoolID: 1, Limit: 2, InUse: 2, Known: true, Waiting: 33,
				Advice: []string{"checkout.go:131 asks for a second connection with the transaction of checkout.go:118 open: run it on the transaction, or before it"},
				Holders: []tracker.Holder{{Handles: holding, Openers: []tracker.Opener{
					{Goroutine: 78, Count: 2, State: "select", Longest: 4 * time.Minute, At: items, Stack: waiting, WaitsFor: "orders"},
				}}},
				Waiters: []tracker.Waiter{
					{Goroutine: 101, Count: 31, Longest: 3 * time.Minute, Site: find, Stack: stack("(*DB).conn", 1369, find)},
					{Goroutine: 78, Count: 2, Longest: 4 * time.Minute, Site: items, Stack: waiting},
				},
			},
			{
				Pool: "archive", PoolID: 2,
				Holders: []tracker.Holder{{Handles: openHandles()[2], Openers: []tracker.Opener{
					{Goroutine: 12, Count: 2, State: "IO wait", At: export, Stack: stack("(*Rows).Next", 3000, export)},
					{Goroutine: 13, Count: 1, State: "exited"},
					{Goroutine: 14, Count: 1, State: "IO wait"},
				}}},
				Waiters: []tracker.Waiter{},
			},
		},
		Deadlocks: []tracker.Deadlock{{
			Pools: []string{"orders"}, Others: 1,
			Members: []tracker.DeadlockMember{
				{Goroutine: 78, Kind: tracker.KindTx, Holds: checkout, Pool: "orders", Waits: items, WaitsFor: "orders"},
				{Goroutine: 79, Kind: tracker.KindTx, Holds: checkout, Pool: "orders", Waits: count, WaitsFor: "orders", Behind: 78, BehindAt: items, Via: tracker.LinkMutex},
			},
			Reason: "2 goroutines hold all connections of pool orders and wait for another: none comes back until one of them gives up",
			Advice: "run what waits at checkout.go:131 on the transaction of checkout.go:118 itself, or before it; raising the limit only makes it rarer",
		}},
	}
}

// Openers is what the openers of the findings of Snapshot do.
func Openers(findings []tracker.Finding) (map[string]tracker.Opener, bool) {
	out := map[string]tracker.Opener{}
	for _, f := range findings {
		switch f.Goroutine {
		case 77:
			out[f.ID] = tracker.Opener{Goroutine: 77, Count: 1, State: "exited"}
		case 78:
			out[f.ID] = tracker.Opener{
				Goroutine: 78, Count: 1, State: "chan receive", Longest: 4 * time.Minute,
				At: items, Stack: stack("(*Rows).Next", 3000, items, checkout),
			}
		}
	}
	return out, true
}

// HostileOpeners has Evil at the end of every text in it.
func HostileOpeners(findings []tracker.Finding) (map[string]tracker.Opener, bool) {
	out, _ := Openers(findings)
	for id, o := range out {
		suffix(reflect.ValueOf(&o).Elem(), Evil)
		out[id] = o
	}
	return out, true
}

// HostileDiagnosis has Evil at the end of every text in it.
func HostileDiagnosis() tracker.Diagnosis {
	d := Diagnosis()
	suffix(reflect.ValueOf(&d).Elem(), Evil)
	return d
}

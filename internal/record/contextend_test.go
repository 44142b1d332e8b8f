package record

import (
	"testing"
	"time"
)

// TestGraceStartsAnew: a process that stands still gives nothing back.
func TestGraceStartsAnew(t *testing.T) {
	for _, tt := range []struct {
		name            string
		over, last, now time.Duration // in ms
		want            time.Duration // of over
	}{
		{"in time", 5000, 5000, 6000, 5000},
		{"busy machine", 5000, 5000, 6400, 5000},
		{"stopped in the grace", 5000, 5000, 8000, 8000},
		{"stopped later in the grace", 5000, 5700, 8000, 8000},
		{"stopped after the grace", 5000, 6000, 12000, 5000},
		{"not over", 0, 5000, 12000, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := contextEnd{over: tt.over * time.Millisecond}
			l := looker{now: tt.now * time.Millisecond, last: tt.last * time.Millisecond}
			l.sweepEnd(&e)
			if got := e.over / time.Millisecond; got != tt.want {
				t.Errorf("over at %d, want %d", got, tt.want)
			}
			if soon := tt.want > 0 && tt.now-tt.want < 1000; l.soon != soon {
				t.Errorf("soon %v, want %v", l.soon, soon)
			}
		})
	}
}

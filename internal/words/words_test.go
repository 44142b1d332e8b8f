package words_test

import (
	"math"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
)

func TestDuration(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0s"},
		{0, "0s"},
		{1, "<1ms"},
		{250 * time.Millisecond, "250ms"},
		{time.Second, "1s"},
		{4290 * time.Millisecond, "4.2s"},
		{9999 * time.Millisecond, "9.9s"},
		{10 * time.Second, "10s"},
		{59999 * time.Millisecond, "59s"},
		{time.Minute, "1m"},
		{125 * time.Second, "2m 5s"},
		{time.Hour, "1h"},
		{3*time.Hour + 12*time.Minute, "3h 12m"},
		{24 * time.Hour, "1d"},
		{102 * time.Hour, "4d 6h"},
		{math.MaxInt64, "106751d 23h"},
	}
	for _, tt := range tests {
		if got := words.Duration(tt.d); got != tt.want {
			t.Errorf("Duration(%d) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 pools", 1: "1 pool", 2: "2 pools"} {
		if got := words.Plural(n, "pool"); got != want {
			t.Errorf("Plural(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDoing(t *testing.T) {
	for _, tt := range []struct {
		state, pool string
		blocked     time.Duration
		want        string
	}{
		{"running", "", 0, "running"},
		{"runnable", "", 0, "running"},
		{"exited", "", 0, "exited"},
		{"IO wait", "", 0, "in IO wait"},
		{"chan receive", "", 4 * time.Minute, "blocked 4m in chan receive"},
		{"select", "shop", 0, "waits for a connection of pool shop"},
		{"select", "shop", 2 * time.Hour, "waits for a connection of pool shop for 2h"},
	} {
		if got := words.Doing(tt.state, tt.pool, tt.blocked); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

func TestPlace(t *testing.T) {
	for file, want := range map[string]string{
		"/src/shop/orders.go":       "orders.go:42",
		`C:\src\shop\orders.go`:     "orders.go:42",
		"example.com/shop/order.go": "order.go:42",
		"":                          "",
	} {
		if got := words.Place(file, 42); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		text  string
		bytes int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "longe…"},
		{"ééé", 3, "é…"}, // not within a letter
		{"", 0, ""},
	} {
		if got := words.Cut(tt.text, tt.bytes); got != tt.want {
			t.Errorf("%q cut to %d: %q, want %q", tt.text, tt.bytes, got, tt.want)
		}
	}
}

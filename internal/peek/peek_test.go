package peek

import "testing"

// TestField: what a driver's connection looks like inside is the driver's
// affair, and may change.
func TestField(t *testing.T) {
	type state struct{ status byte }
	type embedding struct{ *state }
	type deep struct{ conn *embedding }
	for _, tt := range []struct {
		name string
		v    any
		path []string
		want bool
	}{
		{"plain", &state{7}, []string{"status"}, true},
		{"inside", embedding{&state{7}}, []string{"status"}, true},
		{"further down", &deep{&embedding{&state{7}}}, []string{"conn", "status"}, true},
		{"nil inside", embedding{}, []string{"status"}, false},
		{"nil further up", &deep{}, []string{"conn", "status"}, false},
		{"nil", (*state)(nil), []string{"status"}, false},
		{"in an interface", struct{ conn any }{&state{7}}, []string{"conn", "status"}, false},
		{"another name", &state{7}, []string{"txStatus"}, false},
		{"no struct", 7, []string{"status"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if f := Field(tt.v, tt.path...); f.CanUint() != tt.want || tt.want && f.Uint() != 7 {
				t.Errorf("got %v", f)
			}
		})
	}
}

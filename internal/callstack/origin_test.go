package callstack

import (
	"slices"
	"testing"
)

func TestOrigin(t *testing.T) {
	const sql = "database/sql."
	for _, tt := range []struct {
		name   string
		frames []string
		want   Origin
	}{
		{"query of a DB", []string{sql + "(*DB).conn", sql + "(*DB).query", sql + "(*DB).QueryContext", sql + "(*DB).Query", "main.f"},
			Origin{MethodQuery, true, false, false, false}},
		{"row of a Tx", []string{sql + "ctxDriverQuery", sql + "(*Tx).QueryContext", sql + "(*Tx).QueryRowContext", "main.f"},
			Origin{MethodQueryRow, false, false, false, false}},
		{"exec of a Stmt", []string{sql + "(*Stmt).ExecContext.func1", sql + "(*Stmt).ExecContext", "main.f"},
			Origin{MethodExec, true, true, false, false}},
		{"begin holds the connection", []string{sql + "(*DB).BeginTx", "main.f"}, Origin{MethodBegin, false, false, false, false}},
		{"old begin", []string{sql + "(*DB).BeginTx", sql + "(*DB).Begin", "main.f"}, Origin{MethodBegin, false, false, false, false}},
		{"conn holds the connection", []string{sql + "(*DB).Conn.func1", sql + "(*DB).Conn", "main.f"}, Origin{MethodConn, false, false, true, false}},
		{"begin of a Conn", []string{sql + "(*Conn).BeginTx", "main.f"}, Origin{MethodBegin, false, false, true, false}},
		{"ping of a Conn", []string{sql + "(*Conn).PingContext", "main.f"}, Origin{MethodPing, false, false, true, false}},
		{"prepare", []string{sql + "(*DB).prepareDC.func2", sql + "(*DB).PrepareContext", "main.f"}, Origin{MethodPrepare, true, false, false, false}},
		{"statement of a tx", []string{sql + "(*Tx).StmtContext", sql + "(*Tx).Stmt", "main.f"}, Origin{MethodRebind, false, false, false, false}},
		{"ping", []string{sql + "(*DB).PingContext", "main.f"}, Origin{MethodPing, true, false, false, false}},
		{"pool's own", []string{sql + "(*DB).openNewConnection", sql + "(*DB).connectionOpener", "runtime.goexit"}, Origin{MethodOpener, false, false, false, false}},
		{"below a wrapping driver", []string{"example.com/wrap.(*conn).QueryContext", sql + "(*DB).QueryContext", "main.f"}, Origin{MethodQuery, true, false, false, true}},
		{"a driver that is a pool itself", []string{sql + "(*DB).Conn", "example.com/txdb.Open", sql + "(*DB).Query", "main.f"}, Origin{MethodConn, false, false, true, false}},
		{"no database/sql", []string{"main.f", "main.main"}, Origin{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var frames []Frame
			for _, f := range tt.frames {
				frames = append(frames, Frame{Function: f})
			}
			if got := originOf(frames); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	extra := &Libraries{Extra: []string{"example.com/platform/"}}
	for _, tt := range []struct {
		name        string
		frames      []string
		first, site int
	}{
		{"plain", []string{"database/sql.(*DB).query", "database/sql.(*DB).Query", "main.f", "main.main"}, 1, 2},
		{"an ORM", []string{"database/sql.(*DB).Query", "gorm.io/gorm/callbacks.Query", "gorm.io/gorm.(*DB).Find", "example.com/shop.Find"}, 0, 3},
		{"an escaped version", []string{"database/sql.(*DB).Query", "gopkg.in/gorp%2ev3.(*DbMap).Select", "main.f"}, 0, 2},
		{"like a library, but not it", []string{"database/sql.(*DB).Query", "gorm.io.example/app.f"}, 0, 1},
		{"a library of ours", []string{"database/sql.(*DB).Query", "example.com/platform/db.Find", "example.com/platformer.f"}, 0, 2},
		{"wrapped, then a pool in a pool", []string{"example.com/wrap.Query", "database/sql.(*DB).Query", "github.com/DATA-DOG/go-txdb.Query", "database/sql.(*DB).Query", "main.f"}, 1, 4},
		{"type arguments", []string{"database/sql.(*DB).Query", "example.com/list.Map[go.shape.struct { github.com/a/b.X }]", "main.f"}, 0, 1},
		{"libraries only", []string{"database/sql.(*DB).Query", "gorm.io/gorm.(*DB).Find", "runtime.goexit"}, 0, 1},
		{"database/sql only", []string{"database/sql.(*DB).connectionOpener", "runtime.goexit"}, 0, 1},
		{"neither", []string{"main.f", "main.main"}, 0, 0},
		{"nothing", nil, 0, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var frames []Frame
			for _, f := range tt.frames {
				frames = append(frames, Frame{Function: f})
			}
			first, site := locate(frames, extra)
			if first != tt.first || site != tt.site {
				t.Errorf("first %d, site %d; want %d, %d", first, site, tt.first, tt.site)
			}
		})
	}
}

func TestPackageOf(t *testing.T) {
	for function, want := range map[string]string{
		"main.main":                              "main",
		"example.com/a/b.(*T).M.func1":           "example.com/a/b",
		"example.com/a/b.F[example.com/c.d/e.T]": "example.com/a/b",
		"gopkg.in/yaml%2ev3.Unmarshal":           "gopkg.in/yaml.v3",
		"":                                       "",
	} {
		if got := packageOf(function); got != want {
			t.Errorf("packageOf(%q) = %q, want %q", function, got, want)
		}
	}
}

func TestOwnFramesAreApplicationsInTests(t *testing.T) {
	var own_ []string
	for _, pkg := range []string{"driverwrap", "driverwrap_test", "tracker", "cmd/dbleaks", "internal/record", "internal/compat"} {
		if own(module + pkg) {
			own_ = append(own_, pkg)
		}
	}
	if want := []string{"driverwrap", "tracker", "internal/record"}; !slices.Equal(own_, want) {
		t.Errorf("own packages: %v, want %v", own_, want)
	}
}

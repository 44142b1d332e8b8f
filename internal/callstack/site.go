package callstack

import (
	"strings"
	"sync/atomic"
)

// libraries are packages that applications put between themselves and
// database/sql: a handle that they open is the application's. Each entry
// covers the packages below it.
var libraries = []string{
	"database/sql",
	"github.com/jmoiron/sqlx",
	"gorm.io",
	"github.com/jinzhu/gorm",
	"xorm.io",
	"github.com/go-xorm",
	"entgo.io/ent",
	"github.com/uptrace/bun",
	"github.com/volatiletech/sqlboiler",
	"github.com/aarondl/sqlboiler",
	"github.com/stephenafamo",
	"github.com/Masterminds/squirrel",
	"github.com/doug-martin/goqu",
	"github.com/gocraft/dbr",
	"github.com/mailru/dbr",
	"github.com/upper/db",
	"github.com/go-gorp/gorp",
	"gopkg.in/gorp.v1",
	"gopkg.in/gorp.v2",
	"gopkg.in/gorp.v3",
	"github.com/go-pg/pg",
	"github.com/go-rel",
	"github.com/beego/beego",
	"github.com/astaxie/beego",
	"github.com/blockloop/scan",
	"github.com/georgysavva/scany",
	"github.com/pressly/goose",
	"github.com/golang-migrate/migrate",
	"github.com/rubenv/sql-migrate",
	"ariga.io/atlas",
	"github.com/DATA-DOG/go-txdb",
	"github.com/XSAM/otelsql",
	"github.com/uptrace/opentelemetry-go-extra",
	"go.nhat.io/otelsql",
	"github.com/ngrok/sqlmw",
	"github.com/qustavo/sqlhooks",
	"github.com/simukti/sqldb-logger",
	"github.com/luna-duclos/instrumentedsql",
	"gopkg.in/DataDog/dd-trace-go.v1",
	"github.com/DataDog/dd-trace-go",
}

// Libraries names packages beyond the known ones that are never the site of
// a handle. It must not change once it was used.
type Libraries struct {
	Extra []string // import paths; each covers the packages below it
}

// Contains reports whether the package stands between applications and the
// driver.
func (l *Libraries) Contains(pkg string) bool {
	return pkg == "runtime" || under(pkg, libraries) || under(pkg, l.Extra)
}

// Located is a stack as a report shows it.
type Located struct {
	// Site is the application's frame in Frames, or the zero Frame.
	Site Frame

	stack   *Stack
	first   int
	by      *Libraries
	matched atomic.Pointer[matched]
}

// Frames start with the database/sql method that the application called.
func (at *Located) Frames() []Frame { return at.stack.Frames()[at.first:] }

// Locate finds the application's frame in the stack. It is cached for the
// Libraries that were used last.
func (s *Stack) Locate(l *Libraries) *Located {
	if at := s.located.Load(); at != nil && at.by == l {
		return at
	}
	at := &Located{stack: s, by: l}
	frames := s.Frames()
	first, site := locate(frames, l)
	if site >= 0 {
		at.Site = frames[site]
	}
	at.first = first
	s.located.Store(at)
	return at
}

// locate returns the index of the outermost frame of the innermost run of
// database/sql, and that of the application's frame: the first one past it
// that is not a library's. If all are, it is the first past database/sql.
func locate(frames []Frame, l *Libraries) (first, site int) {
	start, seen := 0, false
	for i, f := range frames {
		if f.Package() == sqlPackage {
			start, seen = i+1, true
		} else if seen {
			break
		}
	}
	first = max(0, start-1)
	for i := start; i < len(frames); i++ {
		if !l.Contains(frames[i].Package()) {
			return first, i
		}
	}
	if start < len(frames) {
		return first, start
	}
	return first, len(frames) - 1
}

func under(pkg string, roots []string) bool {
	for _, r := range roots {
		if rest, ok := strings.CutPrefix(pkg, strings.TrimSuffix(r, "/")); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

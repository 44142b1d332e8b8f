package serverview

import (
	"database/sql/driver"
	"net"
	"reflect"
	"strings"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// pgxSession asks a connection of github.com/jackc/pgx/v5/stdlib, or of another
// version that is made alike, for its number. It asks by the methods' names, so
// that nobody links pgx who doesn't use it. nil if it is something else.
func pgxSession(conn driver.Conn) (s *record.ServerID) {
	own := reflect.ValueOf(driverwrap.Unwrap(conn))
	if own.Kind() != reflect.Pointer || !strings.HasPrefix(own.Type().Elem().PkgPath(), "github.com/jackc/pgx/") {
		return nil
	}
	defer func() {
		if recover() != nil { // it is made differently
			s = nil
		}
	}()
	// (*stdlib.Conn).Conn() *pgx.Conn, (*pgx.Conn).PgConn() *pgconn.PgConn
	pg := result(result(own.MethodByName("Conn")).MethodByName("PgConn"))
	pid := result(pg.MethodByName("PID")).Uint()
	socket := result(pg.MethodByName("Conn")).Interface().(net.Conn)
	if pid == 0 {
		return nil
	}
	return newSession(pid, socket.RemoteAddr().String())
}

// result calls a method without arguments.
func result(method reflect.Value) reflect.Value { return method.Call(nil)[0] }

package serverview

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var postgresFlavor = &flavor{
	kind: "PostgreSQL",
	// Through a socket there is no address; the start tells servers apart.
	identity:    "SELECT pg_backend_pid(), COALESCE(host(inet_server_addr()), 'local') || ':' || COALESCE(inet_server_port()::text, '') || ' since ' || pg_postmaster_start_time()::text",
	look:        lookPostgres,
	kill:        "SELECT pg_terminate_backend(%d)",
	namesQuoted: true,
}

// postgresSessions asks for blockers only where there is a wait, or where an
// unprivileged account can't see whether there is: it takes a lock of the
// server's lock manager.
const postgresSessions = `SELECT pid, usename, COALESCE(host(client_addr) || ':' || client_port, ''), application_name, datname,
state, wait_event_type, wait_event,
(EXTRACT(EPOCH FROM clock_timestamp() - backend_start) * 1000000)::bigint,
(EXTRACT(EPOCH FROM clock_timestamp() - state_change) * 1000000)::bigint,
(EXTRACT(EPOCH FROM clock_timestamp() - xact_start) * 1000000)::bigint,
query, backend_type IS NULL,
CASE WHEN wait_event_type = 'Lock' OR backend_type IS NULL THEN array_to_string(pg_blocking_pids(pid), ',') END
FROM pg_stat_activity`

func lookPostgres(ctx context.Context, l *look) error {
	err := l.each(ctx, postgresSessions, func(scan func(...any) error) error {
		var s Session
		var user, program, database, state, waitType, wait, query, blockers sql.NullString
		var age, inState, txAge sql.NullInt64
		var hidden bool
		if err := scan(&s.ID, &user, &s.Client, &program, &database, &state, &waitType, &wait, &age, &inState, &txAge, &query, &hidden, &blockers); err != nil {
			return err
		}
		s.User, s.Program, s.Database = user.String, program.String, database.String
		if age.Valid {
			l.starts[s.ID] = time.Duration(age.Int64) * time.Microsecond
		}
		s.InState = time.Duration(max(0, inState.Int64)) * time.Microsecond
		s.Tx, s.TxAge = txAge.Valid, time.Duration(max(0, txAge.Int64))*time.Microsecond
		if s.State = postgresState(state.String); hidden {
			s.State = StateHidden
		}
		if s.State == StateActive && wait.Valid {
			s.Detail = waitType.String + ": " + wait.String
		}
		if s.State != StateHidden {
			s.Query = l.text(query.String)
		}
		s.Kill = l.kill(s.ID)
		l.sessions[s.ID] = &s
		for by := range strings.SplitSeq(blockers.String, ",") {
			if id, err := strconv.ParseUint(by, 10, 64); err == nil {
				l.wait(s.ID, Block{By: id, Lock: strings.TrimPrefix(s.Detail, "Lock: ")})
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read pg_stat_activity: %w", err)
	}
	return hiddenSessions(ctx, l)
}

func postgresState(state string) State {
	switch state {
	case "idle in transaction":
		return StateIdleTx
	case "idle in transaction (aborted)":
		return StateFailed
	case "idle":
		return StateIdle
	}
	return StateActive // also in a fast-path call, and the server's own workers
}

// hiddenSessions says what would show sessions of other roles that are part of
// a wait, or of the pool.
func hiddenSessions(ctx context.Context, l *look) error {
	hidden := 0
	for _, s := range l.sessions {
		for _, b := range s.BlockedBy {
			if by := l.sessions[b.By]; by != nil && by.State == StateHidden {
				hidden++
			}
		}
		if s.State == StateWaiting && l.starts[s.ID] == 0 {
			hidden++
		}
	}
	if !l.shared && hidden == 0 {
		for _, s := range l.sessions {
			if s.State == StateHidden {
				hidden++
			}
		}
	}
	if hidden == 0 {
		return nil
	}
	var role string
	if err := l.q.QueryRowContext(ctx, "SELECT quote_ident(current_user)").Scan(&role); err != nil {
		return fmt.Errorf("ask for the role: %w", err)
	}
	l.notice("what sessions of other roles do, and for how long", "GRANT pg_read_all_stats TO "+role)
	return nil
}

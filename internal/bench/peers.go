package main

import (
	"context"
	"database/sql"
	"database/sql/driver"

	xsam "github.com/XSAM/otelsql"
	"github.com/luna-duclos/instrumentedsql"
	"github.com/ngrok/sqlmw"
	"github.com/qustavo/sqlhooks/v2"
	sqldblogger "github.com/simukti/sqldb-logger"
	uptrace "github.com/uptrace/opentelemetry-go-extra/otelsql"
	nhat "go.nhat.io/otelsql"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// peers are other wrapping drivers, each at its cheapest: what can be switched
// off is, and the rest goes to a tracer, meter or logger that does nothing.
var peers = []contender{
	{name: "ngrok/sqlmw", open: func(c driver.Connector) *sql.DB {
		return openDriver(sqlmw.Driver(c.Driver(), sqlmw.NullInterceptor{}))
	}},
	{name: "qustavo/sqlhooks", open: func(c driver.Connector) *sql.DB {
		return openDriver(sqlhooks.Wrap(c.Driver(), nullHooks{}))
	}},
	{name: "simukti/sqldb-logger", open: func(c driver.Connector) *sql.DB {
		return sqldblogger.OpenDriver("", c.Driver(), nullLogger{},
			sqldblogger.WithMinimumLevel(sqldblogger.LevelError), sqldblogger.WithLogArguments(false),
			sqldblogger.WithWrapResult(false), sqldblogger.WithUIDGenerator(&sqldblogger.NullUID{}))
	}},
	{name: "luna-duclos/instrumentedsql", open: func(c driver.Connector) *sql.DB {
		return openDriver(instrumentedsql.WrapDriver(c.Driver(), instrumentedsql.WithOmitArgs(),
			instrumentedsql.WithOpsExcluded(instrumentedOps...)))
	}},
	{name: "uptrace/otelsql", open: func(c driver.Connector) *sql.DB {
		return uptrace.OpenDB(c, uptrace.WithTracerProvider(nooptrace.NewTracerProvider()),
			uptrace.WithMeterProvider(noopmetric.NewMeterProvider()))
	}},
	{name: "nhat/otelsql", open: func(c driver.Connector) *sql.DB {
		return openDriver(nhat.Wrap(c.Driver(), nhat.WithTracerProvider(nooptrace.NewTracerProvider()),
			nhat.WithMeterProvider(noopmetric.NewMeterProvider())))
	}},
	{name: "XSAM/otelsql", open: func(c driver.Connector) *sql.DB {
		return xsam.OpenDB(c, xsam.WithTracerProvider(nooptrace.NewTracerProvider()),
			xsam.WithMeterProvider(noopmetric.NewMeterProvider()),
			xsam.WithSpanOptions(xsam.SpanOptions{
				DisableQuery: true, OmitConnResetSession: true, OmitConnPrepare: true, OmitConnQuery: true,
				OmitRows: true, OmitConnectorConnect: true, SpanFilter: noSpan,
			}))
	}},
}

func openDriver(d driver.Driver) *sql.DB { return sql.OpenDB(driverConnector{d}) }

// driverConnector is database/sql's own for drivers that have none.
type driverConnector struct{ driver driver.Driver }

func (c driverConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open("") }
func (c driverConnector) Driver() driver.Driver                        { return c.driver }

type nullHooks struct{}

func (nullHooks) Before(ctx context.Context, _ string, _ ...any) (context.Context, error) {
	return ctx, nil
}

func (nullHooks) After(ctx context.Context, _ string, _ ...any) (context.Context, error) {
	return ctx, nil
}

type nullLogger struct{}

func (nullLogger) Log(context.Context, sqldblogger.Level, string, map[string]any) {}

// instrumentedOps are all operations that instrumentedsql knows.
var instrumentedOps = []string{
	instrumentedsql.OpSQLPrepare, instrumentedsql.OpSQLConnExec, instrumentedsql.OpSQLConnQuery,
	instrumentedsql.OpSQLStmtExec, instrumentedsql.OpSQLStmtQuery, instrumentedsql.OpSQLStmtClose,
	instrumentedsql.OpSQLTxBegin, instrumentedsql.OpSQLTxCommit, instrumentedsql.OpSQLTxRollback,
	instrumentedsql.OpSQLResLastInsertID, instrumentedsql.OpSQLResRowsAffected, instrumentedsql.OpSQLRowsNext,
	instrumentedsql.OpSQLPing, instrumentedsql.OpSQLDummyPing, instrumentedsql.OpSQLConnectorConnect,
}

func noSpan(context.Context, xsam.Method, string, []driver.NamedValue) bool { return false }

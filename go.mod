module github.com/dbleaks-go/dbleaks

go 1.26.0

require (
	github.com/DATA-DOG/go-sqlmock v1.5.2
	github.com/go-sql-driver/mysql v1.10.1
	github.com/google/pprof v0.0.0-20260906184651-6331bc6350fe
	github.com/petermattis/goid v0.0.0-20260820044319-269ab09b5261
	github.com/rs/zerolog v1.35.1
)

require (
	filippo.io/edwards25519 v1.2.0 // indirect
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	golang.org/x/sys v0.32.0 // indirect
)

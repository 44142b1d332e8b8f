// Command dbleaks asks a running service, which serves package httpdebug,
// which database/sql handles it holds.
//
//	dbleaks report URL    prints what the service holds
//	dbleaks check URL     exits 1 if something is overdue or leaked
//
// See dbleaks help for the flags.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

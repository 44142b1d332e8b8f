package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"time"
)

const defaultAddr = "127.0.0.1:7777"

// options are what the command line says.
type options struct {
	dsn      string
	sqlite   bool
	duration time.Duration // 0: until interrupted
	addr     string
	addrSet  bool // by the flag
	verbose  bool
	hang     bool
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, "A web shop with leaks planted in it, and dbleaks finding them.\n\nUsage: go run -C cmd/demo . [flags]\n\n")
		fs.PrintDefaults()
	}
	fs.StringVar(&o.dsn, "dsn", "", "use the MySQL or MariaDB server of this `source`, e.g. user:password@tcp(127.0.0.1:3306)/\n"+
		"(in a database of the demo's own, dropped at the end;\n"+
		"default: a private MariaDB server if one is installed, else SQLite)")
	fs.BoolVar(&o.sqlite, "sqlite", false, "use an embedded SQLite even if a server is installed")
	fs.DurationVar(&o.duration, "for", 0, "stop after this `time` (default: at Ctrl-C); from 10s on,\n"+
		"exit with status 1 if a planted leak was not found by then")
	fs.StringVar(&o.addr, "addr", defaultAddr, "serve the shop at this loopback `address`; port 0 takes a free one")
	fs.BoolVar(&o.hang, "hang", false, "exhaust three small pools of the shop's at once, as the button on its front page does:\n"+
		"by a leak, by transactions that want a second connection, and behind a lock")
	fs.BoolVar(&o.verbose, "v", false, "log findings to stderr, the way a service would")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	fs.Visit(func(f *flag.Flag) { o.addrSet = o.addrSet || f.Name == "addr" })
	return o, o.check(fs.Args())
}

func (o options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q: the demo takes flags only", rest[0])
	}
	if o.dsn != "" && o.sqlite {
		return errors.New("-dsn and -sqlite: use one or the other")
	}
	if o.duration < 0 {
		return fmt.Errorf("-for %v: a time can't be negative", o.duration)
	}
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-addr %s: a shop this leaky is served on loopback only, e.g. %s", o.addr, defaultAddr)
	}
	return nil
}

// listen listens at the address; at a free port if the default one is taken.
func (o options) listen() (net.Listener, error) {
	l, err := net.Listen("tcp", o.addr)
	if err != nil && !o.addrSet {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	return l, nil
}

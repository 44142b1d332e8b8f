package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
)

// request is what the arguments of a command ask for.
type request struct {
	url     *url.URL // of the JSON document, filters included
	filter  report.Filter
	timeout time.Duration
	json    bool  // report and doctor only
	limit   int64 // of the reply, in bytes
}

// The flags that are filters, by the names of the parameters they set.
var filterFlags = []struct{ flag, param string }{
	{"pool", report.ParamPool},
	{"kind", report.ParamKind},
	{"state", report.ParamState},
	{"min-age", report.ParamMinAge},
	{"func", report.ParamFunction},
	{"id", report.ParamID},
}

func parseArgs(command string, args []string) (request, error) {
	req := request{limit: maxReply}
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.DurationVar(&req.timeout, "timeout", 10*time.Second, "")
	if command != "check" {
		fs.BoolVar(&req.json, "json", false, "")
	}
	filters := map[string]*string{}
	if command != "doctor" {
		for _, f := range filterFlags {
			filters[f.param] = fs.String(f.flag, "", "")
		}
	}
	urls, err := parseMixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return req, err
	case err != nil:
		return req, fmt.Errorf("%s: %w; see dbleaks help", command, err)
	case len(urls) == 0:
		return req, fmt.Errorf("%s: give the URL of a service, as in dbleaks %s localhost:6060", command, command)
	case len(urls) > 1:
		return req, fmt.Errorf("%s: give one URL, not %d: %s", command, len(urls), strings.Join(urls, " "))
	case req.timeout <= 0:
		return req, fmt.Errorf("%s: -timeout %v: give a time to wait", command, req.timeout)
	}
	req.url, err = documentURL(urls[0], endpoints[command])
	switch {
	case err != nil:
	case command == "doctor":
		req.url.RawQuery = "" // of a link to the page: who waits for whom shows only in the whole
	default:
		req.filter, err = addFilters(req.url, filters)
	}
	if err != nil {
		return req, fmt.Errorf("%s: %w", command, err)
	}
	return req, nil
}

// parseMixed parses flags wherever they are and returns the other arguments.
func parseMixed(fs *flag.FlagSet, args []string) (others []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return others, nil
		}
		others = append(others, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// endpoints are where the commands find their documents.
var endpoints = map[string]string{"report": "json", "check": "json", "doctor": "diagnosis"}

// documentURL finds the address of an endpoint from that of a service, of its
// page, or of any endpoint below the page.
func documentURL(arg, endpoint string) (*url.URL, error) {
	full := arg
	if !strings.Contains(arg, "://") {
		full = "http://" + arg
	}
	u, err := url.Parse(full)
	if err != nil {
		// The argument may hold a password: leave out what url.Parse quotes.
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return nil, fmt.Errorf("the URL can't be read: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%s: the URL must begin with http:// or https://", u.Redacted())
	case u.Host == "":
		return nil, fmt.Errorf("%q: the URL names no host", arg)
	case u.Hostname() == "":
		u.Host = "localhost" + u.Host // ":6060"
	}
	u.Fragment = ""
	switch last := path.Base(u.Path); {
	case u.Path == "" || u.Path == "/":
		u.Path = "/debug/dbleaks/"
	case strings.HasSuffix(u.Path, "/"):
	case last == "json" || last == "text" || last == "pprof" || last == "diagnosis":
		u.Path = strings.TrimSuffix(u.Path, last)
	default:
		u.Path += "/"
	}
	u.Path += endpoint
	u.RawPath = ""
	return u, nil
}

// addFilters puts the flags into the URL's query, over what is there, and
// refuses what the service would refuse.
func addFilters(u *url.URL, flags map[string]*string) (report.Filter, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return report.Filter{}, fmt.Errorf("%s: the query of the URL can't be read: %w", u.Redacted(), err)
	}
	for param, value := range flags {
		if *value != "" {
			q.Set(param, *value)
		}
	}
	f, err := report.ParseFilter(q)
	var wrong *report.ParamError
	if errors.As(err, &wrong) {
		return f, fmt.Errorf("-%s: %w", strings.ReplaceAll(wrong.Name, "_", "-"), wrong.Err)
	}
	u.RawQuery = f.Values().Encode()
	return f, err
}

package httpdebug

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/report"
)

// admit returns an error unless the visitor may look, and notes what the
// visitor may see.
func (h *handler) admit(v *visit) error {
	if err := crossSite(v.r, v.endpoint); err != nil {
		return err
	}
	if h.allow == nil {
		if err := local(v.r); err != nil {
			return failf(http.StatusForbidden, "refused, because %v.\n%s", err, howToAllow)
		}
		return nil
	}
	view, sensitive, err := ask(h.allow, v.r)
	if err != nil {
		return err
	}
	if !view {
		return failf(http.StatusForbidden, "refused by the function that the program gave to httpdebug.Allow")
	}
	v.sensitive = sensitive
	return nil
}

const howToAllow = `
Only requests from the machine itself are let in: from a loopback address, for
localhost or a loopback address, and through no proxy. Come by a tunnel,

    ssh -L 6060:localhost:6060 HOST
    kubectl port-forward POD 6060

and open it at localhost, or let the program decide who may look:

    httpdebug.Allow(func(r *http.Request) (view, sensitive bool) { … })`

// Loopback is the default rule of who may view, for use within [Allow]: it
// reports whether the request comes from a loopback address, asks for localhost or a loopback
// address, and bears no mark of a proxy.
func Loopback(r *http.Request) bool { return local(r) == nil }

// The headers by which a proxy says that it speaks for somebody else. Whoever
// that is, the loopback address is not theirs.
var proxyHeaders = [...]string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}

// local says why a request is not from the machine itself.
func local(r *http.Request) error {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !addr.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("it comes from %q, which is no loopback address", r.RemoteAddr)
	}
	if !loopbackHost(r.Host) {
		return fmt.Errorf("it asks for host %q, which is neither localhost nor a loopback address", r.Host)
	}
	for _, name := range proxyHeaders {
		if _, ok := r.Header[name]; ok {
			return fmt.Errorf("it came through a proxy: it has the header %s", name)
		}
	}
	return nil
}

// loopbackHost takes a Host header, with or without a port. It looks no name
// up: what a name points to is up to whoever owns it.
func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else if inner, ok := strings.CutPrefix(hostport, "["); ok {
		host, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return false
		}
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// crossSite refuses what another site made the browser send. Older browsers
// send no Sec-Fetch-Site, but Origin where the answer could be read.
func crossSite(r *http.Request, endpoint string) error {
	site := strings.Join(r.Header.Values("Sec-Fetch-Site"), ", ")
	switch site {
	case "", "none", "same-origin":
	default:
		if endpoint != "" || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document" {
			return failf(http.StatusForbidden,
				"refused, because another site made the browser send this request (Sec-Fetch-Site: %s); "+
					"type the address into the browser instead", report.Clean(site))
		}
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return failf(http.StatusForbidden, "refused, because the request is one of the origin %s", report.Clean(origin))
		}
	}
	return nil
}

// ask calls the user's function. What a panic says goes to the server's log,
// not to the visitor.
func ask(allow func(*http.Request) (bool, bool), r *http.Request) (view, sensitive bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			logf(r, "dbleaks: the function given to httpdebug.Allow panicked: %v\n%s", p, debug.Stack())
			view, sensitive, err = false, false, errAllowPanicked
		}
	}()
	view, sensitive = allow(r)
	return view, sensitive, nil
}

var errAllowPanicked = errors.New("the function that the program gave to httpdebug.Allow panicked; the program's log has more")

// logf writes where the request's server writes its errors.
func logf(r *http.Request, format string, args ...any) {
	if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && srv.ErrorLog != nil {
		srv.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

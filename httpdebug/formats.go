package httpdebug

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/profile"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

//go:embed assets
var assets embed.FS

func serveAsset(_ *handler, v *visit) error {
	data, err := assets.ReadFile("assets/" + v.endpoint)
	if err != nil {
		return err
	}
	types := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	v.write(http.StatusOK, types[path.Ext(v.endpoint)], data)
	return nil
}

// filter reads the filter from the request's query string.
func (v *visit) filter() (report.Filter, error) {
	q, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return report.Filter{}, failf(http.StatusBadRequest, "the query string is malformed: %s", report.Clean(err.Error()))
	}
	f, err := report.ParseFilter(q)
	if err != nil {
		return f, failf(http.StatusBadRequest, "%s", report.Clean(err.Error()))
	}
	return f, nil
}

func (h *handler) document(v *visit) (report.Document, error) {
	f, err := v.filter()
	if err != nil {
		return report.Document{}, err
	}
	return report.Build(h.snapshot(), f, h.process, v.sensitive), nil
}

func (h *handler) serveJSON(v *visit) error {
	d, err := h.document(v)
	if err != nil {
		return err
	}
	return v.writeJSON(d)
}

func (h *handler) serveText(v *visit) error {
	d, err := h.document(v)
	if err != nil {
		return err
	}
	return v.writeText(d, report.WriteText)
}

func (h *handler) serveDiagnosis(v *visit) error {
	v.w.Header().Set("Vary", "Accept")
	d, err := h.document(v)
	if err != nil {
		return err
	}
	if d.Filter != "" {
		return failf(http.StatusBadRequest, "the diagnosis takes no filter: who waits for whom shows only in the whole")
	}
	d = h.diagnose(v.r.Context(), d)
	accept := accepts(v.r)
	if quality(accept, "application/json") > quality(accept, "text/plain") {
		return v.writeJSON(d)
	}
	return v.writeText(d, report.WriteDoctor)
}

func (v *visit) writeJSON(d report.Document) error {
	data, err := d.EncodeJSON()
	if err != nil {
		return err
	}
	v.write(http.StatusOK, "application/json", data)
	return nil
}

func (v *visit) writeText(d report.Document, format func(io.Writer, report.Document) error) error {
	var b bytes.Buffer
	if err := format(&b, d); err != nil {
		return err
	}
	v.write(http.StatusOK, "text/plain; charset=utf-8", b.Bytes())
	return nil
}

// diagnose adds a diagnosis to the document. The servers are asked meanwhile.
func (h *handler) diagnose(ctx context.Context, d report.Document) report.Document {
	t := cmp.Or(h.tracker, tracker.Default())
	if h.servers == nil {
		return d.WithDiagnosis(t.Diagnose())
	}
	view := make(chan report.ServerView, 1)
	go func() { view <- h.servers.look(ctx, t) }()
	return d.WithDiagnosis(t.Diagnose()).WithServerView(<-view)
}

func (h *handler) servePprof(v *visit) error {
	f, err := v.filter()
	if err != nil {
		return err
	}
	wait, err := seconds(v.r)
	if err != nil {
		return err
	}
	s := f.Apply(h.snapshot())
	p := profile.New(s)
	if wait > 0 && v.r.Method != http.MethodHead {
		select {
		case <-time.After(wait):
		case <-v.r.Context().Done():
			return failf(http.StatusServiceUnavailable, "the request ended before its %v were over", wait)
		}
		p = profile.Since(s, f.Apply(h.snapshot()))
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		return err
	}
	v.w.Header().Set("Content-Disposition", `attachment; filename="dbleaks.pb.gz"`)
	v.write(http.StatusOK, "application/octet-stream", b.Bytes())
	return nil
}

// seconds reads the parameter of that name; 0 means not given.
func seconds(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("seconds")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 3600 {
		return 0, failf(http.StatusBadRequest, "parameter seconds: %q is no number from 0 to 3600", text)
	}
	d := time.Duration(n) * time.Second
	srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if ok && srv.WriteTimeout > 0 && d >= srv.WriteTimeout {
		return 0, failf(http.StatusBadRequest, "parameter seconds: %v is not less than the server's write timeout of %v",
			d, srv.WriteTimeout)
	}
	return d, nil
}

// wantsText tells a terminal from a browser: text was asked for before HTML,
// or nothing in particular by a tool that prints what it gets.
func wantsText(r *http.Request) bool {
	accept := accepts(r)
	html, text := quality(accept, "text/html"), quality(accept, "text/plain")
	if html > 0 || text > 0 {
		return text > html
	}
	agent := strings.ToLower(r.UserAgent())
	return strings.HasPrefix(agent, "curl/") || strings.HasPrefix(agent, "wget/")
}

// accepts is the request's Accept header, in one piece.
func accepts(r *http.Request) string { return strings.Join(r.Header.Values("Accept"), ",") }

// quality is the weight that an Accept header gives to a media type by name,
// from 0 to 1, or 0 if it doesn't name it.
func quality(accept, mediaType string) float64 {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || name != mediaType {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil || q > 1 {
			q = 1
		}
		return max(q, 0)
	}
	return 0
}

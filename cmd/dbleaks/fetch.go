package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
)

// maxReply is the largest reply that is read, in bytes: some hundred thousand
// findings.
const maxReply = 64 << 20

// fetch gets the document. Its errors are one line and name the URL.
func fetch(ctx context.Context, req request) ([]byte, report.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, req.timeout)
	defer cancel()
	resp, err := get(ctx, req.url)
	if err != nil {
		return nil, report.Document{}, explain(err, req, "cannot reach it:")
	}
	defer resp.Body.Close()
	// A redirect may have led elsewhere.
	where := resp.Request.URL.Redacted()
	if resp.StatusCode != http.StatusOK {
		return nil, report.Document{}, fmt.Errorf("%s: %s", where, statusText(resp))
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, req.limit+1))
	switch {
	case err != nil:
		return nil, report.Document{}, explain(err, req, fmt.Sprintf("the reply broke off after %d bytes:", len(data)))
	case int64(len(data)) > req.limit:
		return nil, report.Document{}, fmt.Errorf("%s: the reply is larger than %d bytes; narrow it with filters", where, req.limit)
	}
	d, err := report.Decode(data)
	switch {
	case errors.Is(err, report.ErrNotDocument):
		return nil, d, fmt.Errorf("%s: %w (Content-Type %q); is httpdebug mounted there?", where, err, contentType(resp))
	case err != nil:
		return nil, d, fmt.Errorf("%s: %w", where, err)
	}
	return data, d, nil
}

func get(ctx context.Context, u *url.URL) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "dbleaks")
	return http.DefaultClient.Do(r)
}

// explain puts an error of the network into words. The URL that a url.Error
// repeats is left out.
func explain(err error, req request, what string) error {
	where := req.url.Redacted()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: no complete answer within %v (-timeout)", where, req.timeout.Round(time.Millisecond))
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: interrupted", where)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("%s: %s %w", where, what, err)
}

// statusText says what a status means here, with the first line of the reply
// where it is one of ours.
func statusText(resp *http.Response) string {
	start, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	line, _, _ := bytes.Cut(start, []byte("\n"))
	if ours, ok := bytes.CutPrefix(line, []byte("dbleaks: ")); ok {
		return resp.Status + ": " + strings.TrimRight(string(ours), ".") + hints[resp.StatusCode]
	}
	return resp.Status + hints[resp.StatusCode]
}

var hints = map[int]string{
	http.StatusUnauthorized: "; give user and password in the URL, if it takes those",
	http.StatusForbidden: "; the service may let only its own machine look: " +
		"come by a tunnel to localhost, or let it use httpdebug.Allow",
	http.StatusNotFound: "; is httpdebug mounted there?",
}

func contentType(resp *http.Response) string {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return "none"
	}
	return t
}

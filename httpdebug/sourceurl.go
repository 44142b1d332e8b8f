package httpdebug

import (
	"html/template"
	"net/url"
	"slices"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// SourceURL makes the page link the lines of stacks to their source. f says for
// a line where that is, such as a page of the repository's web site, or
// "vscode://file/" and the path for an editor on the visitor's machine; empty
// means nowhere. Only absolute URLs with the schemes http, https and those of
// well-known editors become links. f is called for each line that is shown,
// from many goroutines at once; a panic counts as empty. The frame's texts are
// fit to print: what a terminal or a browser acts on is escaped in them.
func SourceURL(f func(tracker.Frame) string) Option {
	return func(h *handler) { h.sourceURL = f }
}

// The schemes of well-known editors. What is asked of them is up to the program.
var editors = []string{
	"vscode", "vscode-insiders", "vscodium", "cursor", "windsurf", "zed", "idea", "goland", "jetbrains",
	"subl", "txmt", "mvim", "emacs",
}

// sourceLink is empty unless it is safe to follow.
func (h *handler) sourceLink(f report.Frame) (link template.URL) {
	if h.sourceURL == nil {
		return ""
	}
	defer func() {
		if recover() != nil {
			link = ""
		}
	}()
	u, err := url.Parse(h.sourceURL(tracker.Frame(f)))
	switch {
	case err != nil:
		return ""
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", slices.Contains(editors, u.Scheme):
		return template.URL(u.String())
	}
	return ""
}

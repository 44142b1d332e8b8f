package browsertest

import (
	"os"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

var axe = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	return string(b), err
})

// violation is what keeps people from using a page.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML           string `json:"html"`
		FailureSummary string `json:"failureSummary"`
	} `json:"nodes"`
}

// violations has axe-core look at the page. It comes in by the debugger, past
// the page's policy.
func (p *tab) violations() []violation {
	p.t.Helper()
	script, err := axe()
	if err != nil {
		p.t.Fatalf("%v; install it with npm ci", err)
	}
	p.do(chromedp.Evaluate[chromedp.Void](script))
	type result struct {
		Passes     int         `json:"passes"`
		Violations []violation `json:"violations"`
	}
	r := eval[result](p, `axe.run().then((r) => ({ passes: r.passes.length, violations: r.violations }))`)
	if r.Passes == 0 {
		p.t.Error("the audit has looked at nothing")
	}
	return r.Violations
}

func (p *tab) audit() {
	p.t.Helper()
	for _, v := range p.violations() {
		p.t.Errorf("%s: %s", v.ID, v.Help)
		for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
			p.t.Errorf("    %.200s\n        %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n        "))
		}
	}
}

package browsertest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

var screenshots = flag.String("screenshots", "", "`directory` to write screenshots to, of each state of the page")

// patience is how long the page may take for anything.
const patience = 30 * time.Second

// chromium is the context of the browser that all tests share.
var chromium context.Context

// TestMain runs the tests with one browser, and fails if a goroutine is left
// when all is over.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // by default: tests wait more than they compute
	flag.Parse()
	code, err := runWithChromium(m)
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func runWithChromium(m *testing.M) (code int, err error) {
	if *screenshots != "" {
		if err := os.MkdirAll(*screenshots, 0o777); err != nil {
			return 1, err
		}
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
	)
	// This ends the browser, waits until it is gone, and removes its files.
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, cancel := chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(ctx); err != nil {
		return 1, fmt.Errorf("start Chromium: %w", err)
	}
	chromium = ctx
	return m.Run(), nil
}

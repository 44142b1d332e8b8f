module github.com/dbleaks-go/dbleaks/internal/browsertest

go 1.26.0

replace github.com/dbleaks-go/dbleaks => ../..

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/dbleaks-go/dbleaks v0.0.0-00010101000000-000000000000
	go.uber.org/goleak v1.3.0
)

require (
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/google/pprof v0.0.0-20260906184651-6331bc6350fe // indirect
	github.com/petermattis/goid v0.0.0-20260820044319-269ab09b5261 // indirect
)

module github.com/dbleaks-go/dbleaks/internal/promtest

go 1.26.0

replace github.com/dbleaks-go/dbleaks => ../..

// Asked for by sqlite for its own tests only, and not to be had everywhere.
exclude github.com/google/pprof v0.0.0-20261016150608-1facf8f91b50

require (
	github.com/dbleaks-go/dbleaks v0.0.0-00010101000000-000000000000
	github.com/prometheus/common v0.67.5 // later ones need a module that is not to be had everywhere
	go.uber.org/goleak v1.3.0
)

require (
	github.com/google/pprof v0.0.0-20260906184651-6331bc6350fe // indirect
	github.com/kr/text v0.2.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/petermattis/goid v0.0.0-20260820044319-269ab09b5261 // indirect
	github.com/prometheus/client_model v0.6.2 // indirect
	go.yaml.in/yaml/v2 v2.4.3 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

module github.com/dbleaks-go/dbleaks

go 1.26.0

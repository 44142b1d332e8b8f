//go:build !amd64 && !arm64

package record

func prefetch(*Conn) {}

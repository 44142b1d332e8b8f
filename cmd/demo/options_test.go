package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

// TestBadOptions: whatever can't be used is named, and no password is.
func TestBadOptions(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"-for", "soon"}, `"soon" for flag -for`},
		{[]string{"-for", "-1s"}, "-for -1s"},
		{[]string{"-addr", "nowhere"}, "-addr"},
		{[]string{"-addr", "0.0.0.0:80"}, "-addr 0.0.0.0:80"},
		{[]string{"-addr", ":80"}, "-addr :80"},
		{[]string{"-addr", "example.com:80"}, "-addr example.com:80"},
		{[]string{"-sqlite", "-dsn", "root@tcp(127.0.0.1)/"}, "-dsn and -sqlite"},
		{[]string{"-dsn", "me:secret@nonsense"}, "-dsn"},
		{[]string{"-addr", "127.0.0.1:0", "-dsn", "me:secret@tcp(127.0.0.1:1)/"}, "-dsn: can't use the server at 127.0.0.1:1"},
		{[]string{"shop"}, `"shop"`},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var out bytes.Buffer
			err := run(append([]string{"-addr", "127.0.0.1:0"}, tt.args...), &out, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the password: %v", err)
			}
			if strings.Contains(out.String(), "secret") {
				t.Errorf("the output tells the password: %s", &out)
			}
		})
	}
}

// TestListen: an address that is taken is an error only if it was asked for.
func TestListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := options{addr: taken.Addr().String(), addrSet: true}
	if l, err := o.listen(); err == nil || !strings.Contains(err.Error(), "-addr") {
		t.Errorf("listening at a taken address: %v, %v, want an error that names -addr", l, err)
	}
	o.addrSet = false
	l, err := o.listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

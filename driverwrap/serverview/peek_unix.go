//go:build unix

package serverview

import (
	"net"
	"syscall"
)

// peek waits for the first bytes of a connection, until enough of them are
// there or the read deadline has passed, and leaves them to be read. nil if the
// connection isn't a socket.
func peek(conn net.Conn, enough func([]byte) bool) (head []byte) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	buf := make([]byte, maxHead)
	err = raw.Read(func(fd uintptr) (done bool) {
		n, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK)
		for err == syscall.EINTR {
			n, _, err = syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK)
		}
		if err == syscall.EAGAIN {
			return false
		}
		head = buf[:max(n, 0)]
		return err != nil || n == 0 || enough(head)
	})
	if err != nil {
		return nil
	}
	return head
}

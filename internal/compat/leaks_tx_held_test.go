package compat

import (
	"context"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// txHeldLeaks are transactions whose holder doesn't get on, for a while or for
// ever.
var txHeldLeaks = []leak{
	{name: "second connection", shows: "its holder asks the same pool for a second connection: a deadlock", kind: tracker.KindTx, known: atThreshold, once: true, exhausts: true, plant: secondConnection},
	{name: "waiting in a transaction", shows: "waits for an answer that doesn't come, until a context ends", kind: tracker.KindTx, known: atThreshold, plant: waitingInTransaction},
	{name: "backing off in a transaction", shows: "sleeps before it tries again", kind: tracker.KindTx, known: atThreshold, plant: backingOff},
	{name: "waiting for a peer", shows: "waits for the other end of a connection", kind: tracker.KindTx, known: atThreshold, plant: waitingForPeer},
	{name: "sessions", shows: "a map has it for a client that never comes back", kind: tracker.KindTx, known: atThreshold, plant: func(a *app) error {
		tx, err := a.db.Begin() // place: sessions
		if err != nil {
			return err
		}
		sessions := map[string]interface{ Rollback() error }{"client": tx}
		a.leftovers = append(a.leftovers, func() error { return sessions["client"].Rollback() })
		return nil
	}},
	{name: "jobs with a defer each", shows: "`defer tx.Rollback()` in a loop over jobs", kind: tracker.KindTx, known: atThreshold, handles: 2, plant: jobsWithDefer},
	{name: "handed to who is stuck", shows: "a goroutine that is to end it is blocked for ever", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: func(a *app) error {
		tx, err := a.loseTx(a.db.Begin()) // place: handed to who is stuck
		if err != nil {
			return err
		}
		g := shut(a)
		go func() {
			g.wait()
			_ = tx.Rollback()
		}()
		return nil
	}},
	{name: "waits for those who wait for it", shows: "two goroutines wait for each other", kind: tracker.KindTx, known: atThreshold, proven: backends, where: "is blocked for ever (select) in", plant: waitForEachOther},
	{name: "waits for a group", shows: "a `sync.WaitGroup` with one Done too few", kind: tracker.KindTx, known: atThreshold, proven: backends, where: "is blocked for ever (sync.WaitGroup.Wait) in", plant: func(a *app) error {
		group := new(sync.WaitGroup)
		group.Add(1)
		free(a, group, (*sync.WaitGroup).Done)
		return inGoroutine(a, func(opened func()) {
			tx, err := a.loseTx(a.db.Begin()) // place: waits for a group
			if err != nil {
				return
			}
			opened()
			defer tx.Rollback()
			group.Wait()
		})
	}},
	{name: "locks twice", shows: "locks a mutex that it has locked", kind: tracker.KindTx, known: atThreshold, locks: true, proven: backends, where: "is blocked for ever (sync.Mutex.Lock) in", plant: locksTwice},
	{name: "reads before it writes", shows: "asks for an RWMutex's lock while it has it to read", kind: tracker.KindTx, known: atThreshold, locks: true, proven: backends, where: "is blocked for ever (sync.RWMutex.Lock) in", plant: readsBeforeWrite},
	{name: "once unfinished", shows: "waits for a `sync.Once` whose function never returns", kind: tracker.KindTx, known: atThreshold, locks: true, proven: backends, where: "is blocked for ever (sync.Mutex.Lock) in", plant: onceUnfinished},
	{name: "close waits for its own transaction", shows: "the deferred Close of a Conn waits for the transaction on it", kind: tracker.KindTx, known: atThreshold, locks: true,
		proven: backends, where: "is blocked for ever (sync.", conn: "conn with a transaction", plant: func(a *app) error {
			return inGoroutine(a, func(opened func()) {
				conn, err := a.db.Conn(context.Background()) // place: conn with a transaction
				if err != nil {
					return
				}
				defer conn.Close()
				_, err = a.loseTx(conn.BeginTx(context.Background(), nil)) // place: close waits for its own transaction
				if err == nil {
					opened()
				}
			})
		}},
}

// secondConnection is a deadlock: the transaction has the only connection.
func secondConnection(a *app) error {
	a.db.SetMaxOpenConns(1)
	a.spawn(func() error {
		tx, err := a.db.BeginTx(a.ctx, nil) // place: second connection
		if err != nil {
			return onlyCanceled(err)
		}
		defer tx.Rollback()
		var name string
		err = a.db.QueryRowContext(a.ctx, "SELECT name FROM item WHERE id = 1").Scan(&name)
		return onlyCanceled(err)
	})
	return nil
}

// waitingInTransaction waits for something that doesn't come.
func waitingInTransaction(a *app) error {
	answer := make(chan string)
	a.spawn(func() error {
		tx, err := a.db.BeginTx(a.ctx, nil) // place: waiting in a transaction
		if err != nil {
			return onlyCanceled(err)
		}
		defer tx.Rollback()
		select {
		case <-answer:
			return tx.Commit()
		case <-a.ctx.Done():
			return nil
		}
	})
	return nil
}

func backingOff(a *app) error {
	a.spawn(func() error {
		tx, err := a.db.Begin() // place: backing off in a transaction
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for a.ctx.Err() == nil {
			timer := time.NewTimer(1000 * time.Hour)
			select {
			case <-timer.C:
			case <-a.ctx.Done():
				timer.Stop()
			}
		}
		return nil
	})
	return nil
}

func waitingForPeer(a *app) error {
	near, far := net.Pipe()
	context.AfterFunc(a.ctx, func() { far.Close() })
	a.spawn(func() error {
		tx, err := a.db.Begin() // place: waiting for a peer
		if err != nil {
			return err
		}
		defer tx.Rollback()
		_, _ = near.Read(make([]byte, 1))
		return nil
	})
	return nil
}

func jobsWithDefer(a *app) error {
	jobs, done := make(chan int), make(chan bool)
	a.spawn(func() error {
		for range jobs {
			tx, err := a.db.Begin() // place: jobs with a defer each
			if err != nil {
				return err
			}
			defer tx.Rollback()
			done <- true
		}
		return nil
	})
	for range 2 {
		jobs <- 1
		<-done
	}
	context.AfterFunc(a.ctx, func() { close(jobs) })
	return nil
}

func waitForEachOther(a *app) error {
	g, left, right := shut(a), make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case <-left:
		case <-g.open:
		}
		close(right)
		runtime.KeepAlive(g)
	}()
	return inGoroutine(a, func(opened func()) {
		tx, err := a.loseTx(a.db.Begin()) // place: waits for those who wait for it
		if err != nil {
			return
		}
		opened()
		defer tx.Rollback()
		select {
		case <-right:
		case <-g.open:
		}
		close(left)
		runtime.KeepAlive(g)
	})
}

// store is what has a mutex in a program. By itself a mutex is so small that the
// runtime puts it into one block of memory with others, and whoever reaches one
// of these reaches the mutex, for the goroutine-leak profile.
type store struct {
	mu    sync.Mutex
	once  sync.Once
	names []string
}

func locksTwice(a *app) error {
	s := new(store)
	free(a, s, func(s *store) { s.mu.Unlock() })
	return inGoroutine(a, func(opened func()) {
		s.mu.Lock()
		defer s.mu.Unlock()
		tx, err := a.loseTx(a.db.Begin()) // place: locks twice
		if err != nil {
			return
		}
		opened()
		defer tx.Rollback()
		s.mu.Lock()
		s.names = nil
	})
}

func readsBeforeWrite(a *app) error {
	mu := new(sync.RWMutex)
	free(a, mu, (*sync.RWMutex).RUnlock)
	return inGoroutine(a, func(opened func()) {
		mu.RLock()
		tx, err := a.loseTx(a.db.Begin()) // place: reads before it writes
		if err != nil {
			return
		}
		opened()
		defer tx.Rollback()
		mu.Lock()
		defer mu.Unlock()
	})
}

func onceUnfinished(a *app) error {
	s, g, running := new(store), shut(a), make(chan struct{})
	go s.once.Do(func() {
		close(running)
		g.wait()
	})
	<-running
	return inGoroutine(a, func(opened func()) {
		tx, err := a.loseTx(a.db.Begin()) // place: once unfinished
		if err != nil {
			return
		}
		opened()
		defer tx.Rollback()
		s.once.Do(func() { s.names = nil })
	})
}

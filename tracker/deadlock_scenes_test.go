package tracker_test

import (
	"database/sql"
	"iter"
	"sync"
)

// fanOut asks for connections on goroutines of its own, with a transaction open.
func (s *stage) fanOut(db *sql.DB) {
	tx, err := db.BeginTx(s.ctx, nil)
	if err != nil {
		s.t.Error(err)
	}
	defer tx.Rollback()
	var group sync.WaitGroup
	for range 2 {
		group.Add(1)
		go func() {
			defer group.Done()
			db.ExecContext(s.ctx, "update")
		}()
	}
	group.Wait()
}

// refresh waits for a connection with the lock held, slow for something else,
// and count for a connection without it.
func (c *cache) refresh(s *stage, then func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	then()
	c.db.ExecContext(s.ctx, "update")
}

func (c *cache) slow(s *stage, locked *sync.WaitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	locked.Done()
	<-s.ctx.Done()
}

func (c *cache) count(s *stage) { c.db.ExecContext(s.ctx, "update") }

// slow is a function that locks a cache from outside.
func slow(s *stage, c *cache, locked *sync.WaitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	locked.Done()
	<-s.ctx.Done()
}

// asks yields what it asks the DB for, or what it waits for otherwise.
func (s *stage) asks(db *sql.DB, asks bool) iter.Seq[int] {
	return func(yield func(int) bool) {
		if !yield(1) {
			return
		}
		if asks {
			s.wait(db)
		} else {
			<-s.ctx.Done()
		}
	}
}

// pull takes values from an iterator with a transaction open.
func (s *stage) pull(db *sql.DB, asks bool) {
	tx, err := db.BeginTx(s.ctx, nil)
	if err != nil {
		s.t.Error(err)
	}
	defer tx.Rollback()
	next, stop := iter.Pull(s.asks(db, asks))
	defer stop()
	next()
	next()
}

// scan yields rows.
func (s *stage) scan(db *sql.DB) iter.Seq[int] {
	return func(yield func(int) bool) {
		rows, err := db.QueryContext(s.ctx, "rows 9")
		if err != nil {
			return
		}
		defer rows.Close()
		for rows.Next() && yield(1) {
		}
	}
}

// merge does something else between two values of an iterator.
func (s *stage) merge(db *sql.DB, then func(*sql.DB)) {
	next, stop := iter.Pull(s.scan(db))
	defer stop()
	next()
	then(db)
}

// await waits for what a goroutine sends that asks for a connection, with a
// transaction open. It has started another one that does something else, if that
// isn't nil.
func (s *stage) await(db *sql.DB, other func()) {
	tx, err := db.BeginTx(s.ctx, nil)
	if err != nil {
		s.t.Error(err)
	}
	defer tx.Rollback()
	done := make(chan struct{})
	s.all.Go(func() {
		defer close(done)
		s.wait(db)
	})
	if other != nil {
		s.all.Go(other)
	}
	<-done
}

// finish is what a worker does with a transaction.
func (s *stage) finish(tx *sql.Tx) {
	<-s.ctx.Done()
	tx.Rollback()
}

// handOver opens a transaction, gives it away and asks for a connection.
func (s *stage) handOver(db *sql.DB, give func(tx *sql.Tx)) {
	tx, err := db.BeginTx(s.ctx, nil)
	if err != nil {
		s.t.Error(err)
	}
	give(tx)
	s.wait(db)
}

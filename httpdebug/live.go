package httpdebug

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// How the handler streams. A stream ends after a while in any case, and the
// browser asks for another: so whoever may look no more loses it, and a server
// that shuts down waits no longer than that.
const (
	liveTick   = 2 * time.Second
	liveLength = 2 * time.Minute
	liveWrite  = 5 * time.Second // for a client to take an event, or be dropped
	maxStreams = 32
)

// live is what the streams of one handler share. There is no goroutine but
// those of the requests: whichever stream needs it first takes the snapshot
// of a tick, and the others use it too.
type live struct {
	tick, length time.Duration
	max          int // streams

	taking sync.Mutex // held while a snapshot is taken; guards the next two
	taken  time.Time
	shared tracker.Snapshot

	mu      sync.Mutex // guards the rest; taken after taking, held for moments
	streams int
	// stops has a channel for each server, closed when it shuts down. A
	// server is not kept alive by it.
	stops map[weak.Pointer[http.Server]]chan struct{}
}

func newLive() *live {
	return &live{tick: liveTick, length: liveLength, max: maxStreams, stops: map[weak.Pointer[http.Server]]chan struct{}{}}
}

// snapshot calls take, unless there is one of the present tick.
func (l *live) snapshot(take func() tracker.Snapshot) tracker.Snapshot {
	l.taking.Lock()
	defer l.taking.Unlock()
	// Streams tick at different times, and none at exactly the same interval.
	if l.taken.IsZero() || time.Since(l.taken) > l.tick*3/4 {
		l.shared, l.taken = take(), time.Now()
	}
	return l.shared
}

// join counts a stream, if there may be one more.
func (l *live) join() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams == l.max {
		return false
	}
	l.streams++
	return true
}

// leave lets go of the snapshot with the last stream.
func (l *live) leave() {
	l.taking.Lock()
	defer l.taking.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams--; l.streams == 0 {
		l.taken, l.shared = time.Time{}, tracker.Snapshot{}
	}
}

// stop returns a channel that is closed when the request's server shuts down,
// which waits for requests without telling them. It is nil if there is none.
func (l *live) stop(r *http.Request) <-chan struct{} {
	srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := weak.Make(srv)
	stop := l.stops[key]
	if stop == nil {
		for other := range l.stops {
			if other.Value() == nil {
				delete(l.stops, other)
			}
		}
		stop = make(chan struct{})
		l.stops[key] = stop
		srv.RegisterOnShutdown(sync.OnceFunc(func() { close(stop) }))
	}
	return stop
}

// serveEvents streams to who accepts it what changes on the page. To others it
// answers once, with the present state.
func (h *handler) serveEvents(v *visit) error {
	v.w.Header().Set("Vary", "Accept")
	f, err := v.filter()
	if err != nil {
		return err
	}
	const eventStream = "text/event-stream"
	if quality(accepts(v.r), eventStream) == 0 {
		data, err := json.Marshal(h.liveState(h.snapshot(), f).event())
		if err != nil {
			return err
		}
		v.write(http.StatusOK, "application/json", data)
		return nil
	}
	until, err := h.live.until(v.r)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", eventStream)
	if v.r.Method == http.MethodHead {
		v.w.WriteHeader(http.StatusOK)
		return nil
	}
	if !h.live.join() {
		v.w.Header().Set("Retry-After", strconv.Itoa(int(h.live.length.Seconds())))
		return failf(http.StatusServiceUnavailable, "%d pages have live events already; poll this for application/json instead",
			h.live.max)
	}
	defer h.live.leave()
	s := stream{visit: v, control: http.NewResponseController(v.w), until: until, last: until.Add(h.live.tick)}
	return s.run(h, f)
}

// until is when a stream has to end: its connection may have a deadline.
func (l *live) until(r *http.Request) (time.Time, error) {
	length := l.length
	if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && srv.WriteTimeout > 0 {
		length = min(length, srv.WriteTimeout-l.tick)
	}
	if length < 2*l.tick {
		return time.Time{}, failf(http.StatusNotImplemented, "the server's write timeout leaves no time for live events; "+
			"poll this for application/json instead")
	}
	return time.Now().Add(length), nil
}

// stream is one client that listens.
type stream struct {
	*visit
	control *http.ResponseController
	until   time.Time
	last    time.Time // no write may take longer than that
}

func (s *stream) run(h *handler, f report.Filter) error {
	stop := h.live.stop(s.r)
	s.prepare()
	if err := s.control.Flush(); errors.Is(err, http.ErrNotSupported) {
		return failf(http.StatusNotImplemented, "something in front of this handler keeps answers back until they are "+
			"complete; poll this for application/json instead")
	}
	tick := time.NewTicker(h.live.tick)
	defer tick.Stop()
	over := time.NewTimer(time.Until(s.until))
	defer over.Stop()
	state := h.liveState(h.live.snapshot(h.snapshot), f)
	for e := state.event(); s.send(e) == nil; {
		select {
		case <-tick.C:
		case <-over.C:
			return nil
		case <-stop:
			return nil
		case <-s.r.Context().Done():
			return nil
		}
		now := h.liveState(h.live.snapshot(h.snapshot), f)
		e, state = now.since(state), now
	}
	return nil
}

// prepare asks all who pass the answer on to do so as it is, and at once.
func (s *stream) prepare() {
	s.w.Header().Set("Cache-Control", "no-store, no-transform")
	s.w.Header().Set("X-Accel-Buffering", "no")
	s.limit()
}

// limit is for the next write.
func (s *stream) limit() {
	d := time.Now().Add(liveWrite)
	if s.last.Before(d) {
		d = s.last
	}
	s.control.SetWriteDeadline(d)
}

// send fails if the client is gone or takes nothing.
func (s *stream) send(e liveEvent) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	// A text in JSON has no line break, which would end the event.
	event := "data: " + string(data) + "\n\n"
	if e.Full {
		event = "retry: 1000\n" + event // when it ends, in ms
	}
	s.limit()
	if _, err := s.w.Write([]byte(event)); err != nil {
		return err
	}
	return s.control.Flush()
}

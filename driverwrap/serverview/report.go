package serverview

import (
	"context"
	"errors"
	"slices"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// Viewer looks at the servers for others who ask; see [ForReports].
type Viewer struct{ opts []LookOption }

// ForReports lets package httpdebug look, for its diagnosis:
// httpdebug.WithServerView takes it. Statements are shown to those of its
// visitors who may see what is sensitive, with or without [WithSQL].
func ForReports(opts ...LookOption) Viewer {
	return Viewer{append(slices.Clone(opts), WithSQL())}
}

// ServerView is [Look] in the form of a report, statements included. It is for
// package httpdebug to call.
func (v Viewer) ServerView(ctx context.Context, t *tracker.Tracker) report.ServerView {
	view, err := Look(ctx, t, v.opts...)
	out := report.ServerView{TakenAt: view.TakenAt, Servers: report.Convert(view.Servers, Server.report)}
	if errors.Is(err, errNotEnabled) { // other errors are the servers'
		out.Error = err.Error()
	}
	return out
}

func (s Server) report() report.Server {
	return report.Server{
		Pools: s.Pools, Kind: s.Kind, Version: s.Version, TookSeconds: s.Took.Seconds(), Error: s.Error,
		Open: s.Open, InUse: s.InUse, Sessions: report.Convert(s.Sessions, Session.report), Orphans: report.Convert(s.Orphans, Session.report),
		Notices: report.Convert(s.Notices, func(n Notice) report.Notice { return report.Notice(n) }),
	}
}

func (s Session) report() report.Session {
	out := report.Session{
		ID: s.ID, User: s.User, Client: s.Client, Program: s.Program, Database: s.Database,
		State: string(s.State), Detail: s.Detail, InStateSeconds: s.InState.Seconds(),
		Tx: s.Tx, TxAgeSeconds: s.TxAge.Seconds(), RowsLocked: s.RowsLocked, RowsModified: s.RowsModified, Query: s.Query,
		BlockedBy: report.Convert(s.BlockedBy, func(b Block) report.Block { return report.Block(b) }),
		Roots:     s.Roots, Blocks: s.Blocks, Kill: s.Kill,
	}
	if c := s.Conn; c != nil {
		out.Conn = &report.ServerConn{
			Pool: c.Pool, PoolClosed: c.PoolClosed, Holders: report.Convert(c.Holders, Holder.report),
			ClosedForSeconds: c.ClosedFor.Seconds(), LastSite: report.Frame(c.LastSite),
		}
	}
	return out
}

func (h Holder) report() report.ServerHolder {
	return report.ServerHolder{
		Finding: h.Finding, Kind: h.Kind.String(), State: h.State.String(), Site: report.Frame(h.Site),
		AgeSeconds: h.Age.Seconds(), Reason: h.Reason,
	}
}

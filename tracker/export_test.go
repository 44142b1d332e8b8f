package tracker

// ForgetProofs makes the next proof as early as if none had been made.
func ForgetProofs() {
	proofs.mu.Lock()
	defer proofs.mu.Unlock()
	proofs.took = 0
}

// DiagnoseNow is Diagnose for who can't wait for a second.
func (t *Tracker) DiagnoseNow() Diagnosis { return t.diagnose(takeDump) }

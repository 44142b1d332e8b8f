//go:build !dbleaks_callers

#include "go_asm.h"
#include "textflag.h"

// A frame starts at the frame pointer: there lies the caller's frame pointer,
// and above it the return address. See walk.go for why this is safe.

// func walk(frames *[maxWalk]frame) int
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ frames+0(FP), DI
	MOVQ (TLS), R8
	MOVQ 0(R8), R9   // g.stack.lo
	MOVQ 8(R8), R10  // g.stack.hi
	SUBQ $16, R10    // where the last frame may lie
	XORL CX, CX      // how many are found
	MOVQ BP, BX

next:
	CMPQ BX, R9
	JCS  done
	CMPQ BX, R10
	JHI  done
	TESTQ $7, BX
	JNE  done
	MOVQ 8(BX), AX
	TESTQ AX, AX
	JEQ  done
	MOVQ AX, 8(DI)
	INCQ CX
	MOVQ 0(BX), DX
	MOVQ DX, AX
	SUBQ BP, AX
	MOVQ AX, 0(DI)
	ADDQ $16, DI
	CMPQ CX, $65
	JGE  done
	CMPQ DX, BX
	JLS  done        // callers' frames lie higher
	MOVQ DX, BX
	JMP  next

done:
	MOVQ CX, ret+8(FP)
	RET

// func match(l *layout) bool
//
// Four frames a turn, the outermost first, and two in a register.
TEXT ·match(SB), NOSPLIT|NOFRAME, $0-9
	MOVQ l+0(FP), R11
	MOVQ layout_at(R11), SI
	MOVQ layout_pcs(R11), DI
	MOVQ layout_depth(R11), CX
	MOVQ layout_telling(R11), AX
	MOVQ (TLS), R8
	MOVQ 8(R8), R10  // g.stack.hi
	SUBQ $16, R10    // where the last frame may lie
	CMPQ BP, 0(R8)   // g.stack.lo
	JCS  differs
	MOVL (SI)(AX*4), BX
	LEAQ (BP)(BX*1), DX
	CMPQ DX, R10
	JHI  differs
	MOVQ (DI)(AX*8), AX
	CMPQ AX, 8(BP)(BX*1)
	JNE  differs
	MOVL -4(SI)(CX*4), BX
	ADDQ BP, BX      // the outermost of the frames
	CMPQ BX, R10     // the frames between lie lower, as they grow
	JHI  differs
	ADDQ $3, CX
	ANDQ $~3, CX
	PXOR X1, X1      // what is different so far

four:
	MOVL   -16(SI)(CX*4), AX
	MOVL   -12(SI)(CX*4), DX
	MOVQ   8(BP)(AX*1), X0
	MOVHPS 8(BP)(DX*1), X0
	PXOR   -32(DI)(CX*8), X0
	MOVL   -8(SI)(CX*4), AX
	MOVL   -4(SI)(CX*4), DX
	MOVQ   8(BP)(AX*1), X2
	MOVHPS 8(BP)(DX*1), X2
	PXOR   -16(DI)(CX*8), X2
	POR    X0, X1
	POR    X2, X1
	SUBQ   $4, CX
	JNE    four

	MOVHLPS X1, X0
	POR  X0, X1
	MOVQ X1, AX
	TESTQ AX, AX
	JNE  differs
	CMPQ layout_depth(R11), $64
	JEQ  same        // the walk ends here anyway
	// Else it must end here too.
	MOVQ 0(BX), DX
	CMPQ DX, BX
	JLS  same
	CMPQ DX, R10
	JHI  same
	TESTQ $7, DX
	JNE  same
	MOVQ 8(DX), AX
	TESTQ AX, AX
	JEQ  same

differs:
	MOVB $0, ret+8(FP)
	RET

same:
	MOVB $1, ret+8(FP)
	RET

#include "textflag.h"

DATA negInf<>+0(SB)/4, $0xff800000
GLOBL negInf<>(SB), RODATA|NOPTR, $4

// func peaksAVX2(dst, x *float32, blocks int)
//
// The largest of two is their second operand where the first is NaN, so NaN is
// lost against -Inf first.
TEXT ·peaksAVX2(SB), NOSPLIT, $0-24
	MOVQ         dst+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         blocks+16(FP), CX
	VBROADCASTSS negInf<>(SB), Y15

block:
	VMOVUPS      (SI), Y0
	VMOVUPS      32(SI), Y1
	VMOVUPS      64(SI), Y2
	VMOVUPS      96(SI), Y3
	VMOVUPS      128(SI), Y4
	VMOVUPS      160(SI), Y5
	VMOVUPS      192(SI), Y6
	VMOVUPS      224(SI), Y7
	VMAXPS       Y15, Y0, Y0
	VMAXPS       Y15, Y1, Y1
	VMAXPS       Y0, Y2, Y0
	VMAXPS       Y1, Y3, Y1
	VMAXPS       Y0, Y4, Y0
	VMAXPS       Y1, Y5, Y1
	VMAXPS       Y0, Y6, Y0
	VMAXPS       Y1, Y7, Y1
	VMAXPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSS       X0, (DI)
	ADDQ         $256, SI
	ADDQ         $4, DI
	DECQ         CX
	JNZ          block
	VZEROUPPER
	RET

// e^d is 2^n * e^r with n the nearest whole number of d/ln 2, and e^r is
// 1 + r + r^2 * p(r), six terms of its series. Two vectors of eight go side by
// side, so that one does not wait for the other.
DATA low<>+0(SB)/8, $0xc2a00000c2a00000 // -80: what is less is nothing
DATA low<>+8(SB)/8, $0xc2a00000c2a00000
DATA low<>+16(SB)/8, $0xc2a00000c2a00000
DATA low<>+24(SB)/8, $0xc2a00000c2a00000
GLOBL low<>(SB), RODATA|NOPTR, $32
DATA log2e<>+0(SB)/8, $0x3fb8aa3b3fb8aa3b // 1/ln 2
DATA log2e<>+8(SB)/8, $0x3fb8aa3b3fb8aa3b
DATA log2e<>+16(SB)/8, $0x3fb8aa3b3fb8aa3b
DATA log2e<>+24(SB)/8, $0x3fb8aa3b3fb8aa3b
GLOBL log2e<>(SB), RODATA|NOPTR, $32
DATA ln2hi<>+0(SB)/8, $0x3f3180003f318000 // ln 2, its upper bits
DATA ln2hi<>+8(SB)/8, $0x3f3180003f318000
DATA ln2hi<>+16(SB)/8, $0x3f3180003f318000
DATA ln2hi<>+24(SB)/8, $0x3f3180003f318000
GLOBL ln2hi<>(SB), RODATA|NOPTR, $32
DATA ln2lo<>+0(SB)/8, $0xb95e8083b95e8083 // and the rest of it
DATA ln2lo<>+8(SB)/8, $0xb95e8083b95e8083
DATA ln2lo<>+16(SB)/8, $0xb95e8083b95e8083
DATA ln2lo<>+24(SB)/8, $0xb95e8083b95e8083
GLOBL ln2lo<>(SB), RODATA|NOPTR, $32
DATA p0<>+0(SB)/8, $0x3ab60b613ab60b61 // p: 1/720
DATA p0<>+8(SB)/8, $0x3ab60b613ab60b61
DATA p0<>+16(SB)/8, $0x3ab60b613ab60b61
DATA p0<>+24(SB)/8, $0x3ab60b613ab60b61
GLOBL p0<>(SB), RODATA|NOPTR, $32
DATA p1<>+0(SB)/8, $0x3c0888893c088889 // 1/120
DATA p1<>+8(SB)/8, $0x3c0888893c088889
DATA p1<>+16(SB)/8, $0x3c0888893c088889
DATA p1<>+24(SB)/8, $0x3c0888893c088889
GLOBL p1<>(SB), RODATA|NOPTR, $32
DATA p2<>+0(SB)/8, $0x3d2aaaab3d2aaaab // 1/24
DATA p2<>+8(SB)/8, $0x3d2aaaab3d2aaaab
DATA p2<>+16(SB)/8, $0x3d2aaaab3d2aaaab
DATA p2<>+24(SB)/8, $0x3d2aaaab3d2aaaab
GLOBL p2<>(SB), RODATA|NOPTR, $32
DATA p3<>+0(SB)/8, $0x3e2aaaab3e2aaaab // 1/6
DATA p3<>+8(SB)/8, $0x3e2aaaab3e2aaaab
DATA p3<>+16(SB)/8, $0x3e2aaaab3e2aaaab
DATA p3<>+24(SB)/8, $0x3e2aaaab3e2aaaab
GLOBL p3<>(SB), RODATA|NOPTR, $32
DATA p4<>+0(SB)/8, $0x3f0000003f000000 // 1/2
DATA p4<>+8(SB)/8, $0x3f0000003f000000
DATA p4<>+16(SB)/8, $0x3f0000003f000000
DATA p4<>+24(SB)/8, $0x3f0000003f000000
GLOBL p4<>(SB), RODATA|NOPTR, $32
DATA one<>+0(SB)/8, $0x3f8000003f800000 // 1
DATA one<>+8(SB)/8, $0x3f8000003f800000
DATA one<>+16(SB)/8, $0x3f8000003f800000
DATA one<>+24(SB)/8, $0x3f8000003f800000
GLOBL one<>(SB), RODATA|NOPTR, $32

// func sumExpAVX2(x *float32, n int, most, scale float32) float64
TEXT ·sumExpAVX2(SB), NOSPLIT, $0-32
	MOVQ         x+0(FP), SI
	MOVQ         n+8(FP), CX
	VBROADCASTSS most+16(FP), Y15
	VBROADCASTSS scale+20(FP), Y14
	VMOVUPS      low<>(SB), Y13
	VMOVUPS      log2e<>(SB), Y12
	VMOVUPS      ln2hi<>(SB), Y11
	VMOVUPS      ln2lo<>(SB), Y10
	VXORPD       Y8, Y8, Y8
	VXORPD       Y9, Y9, Y9

sixteen:
	VMOVUPS      (SI), Y0
	VMOVUPS      32(SI), Y3
	VSUBPS       Y15, Y0, Y0
	VSUBPS       Y15, Y3, Y3
	VMULPS       Y14, Y0, Y0
	VMULPS       Y14, Y3, Y3
	VMAXPS       Y13, Y0, Y0       // NaN too becomes -80
	VMAXPS       Y13, Y3, Y3
	VMULPS       Y12, Y0, Y1
	VMULPS       Y12, Y3, Y4
	VROUNDPS     $0, Y1, Y1        // n
	VROUNDPS     $0, Y4, Y4
	VFNMADD231PS Y11, Y1, Y0
	VFNMADD231PS Y11, Y4, Y3
	VFNMADD231PS Y10, Y1, Y0       // r
	VFNMADD231PS Y10, Y4, Y3
	VMOVUPS      p0<>(SB), Y2
	VMOVUPS      p0<>(SB), Y5
	VFMADD213PS  p1<>(SB), Y0, Y2
	VFMADD213PS  p1<>(SB), Y3, Y5
	VMULPS       Y0, Y0, Y6
	VMULPS       Y3, Y3, Y7
	VFMADD213PS  p2<>(SB), Y0, Y2
	VFMADD213PS  p2<>(SB), Y3, Y5
	VFMADD213PS  p3<>(SB), Y0, Y2
	VFMADD213PS  p3<>(SB), Y3, Y5
	VFMADD213PS  p4<>(SB), Y0, Y2
	VFMADD213PS  p4<>(SB), Y3, Y5
	VADDPS       one<>(SB), Y0, Y0
	VADDPS       one<>(SB), Y3, Y3
	VCVTPS2DQ    Y1, Y1
	VCVTPS2DQ    Y4, Y4
	VFMADD213PS  Y0, Y6, Y2        // e^r
	VFMADD213PS  Y3, Y7, Y5
	VPSLLD       $23, Y1, Y1
	VPSLLD       $23, Y4, Y4
	VPADDD       Y1, Y2, Y2        // times 2^n
	VPADDD       Y4, Y5, Y5
	VCVTPS2PD    X2, Y0
	VCVTPS2PD    X5, Y3
	VEXTRACTF128 $1, Y2, X2
	VEXTRACTF128 $1, Y5, X5
	VCVTPS2PD    X2, Y2
	VCVTPS2PD    X5, Y5
	VADDPD       Y0, Y2, Y2
	VADDPD       Y3, Y5, Y5
	VADDPD       Y2, Y8, Y8
	VADDPD       Y5, Y9, Y9
	ADDQ         $64, SI
	DECQ         CX
	JNZ          sixteen
	VADDPD       Y9, Y8, Y8
	VEXTRACTF128 $1, Y8, X9
	VADDPD       X9, X8, X8
	VPERMILPD    $1, X8, X9
	VADDSD       X9, X8, X8
	VMOVSD       X8, ret+24(FP)
	VZEROUPPER
	RET

// func cpuid(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

// func xgetbv() uint32
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, ret+0(FP)
	RET

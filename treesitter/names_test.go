package treesitter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown marks each name of a source: ¹ where it declares, and with the line and column of
// what declares it where it is used; . before a member, ? behind what nothing here declares,
// ~ behind what is not this file's to name, ! behind one that stands for two things.
func shown(t *testing.T, lang Language, src string) string {
	t.Helper()
	p := NewParser(Limits{})
	defer p.Close()
	tree, err := p.Parse(lang, nil, src)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	var b strings.Builder
	at := ByteOffset(0)
	names := tree.Names()
	for _, n := range names {
		b.WriteString(src[at:n.Start])
		at = n.End
		text := src[n.Start:n.End]
		switch {
		case n.Kind == Member && n.Declares:
			text = "." + text + "¹"
		case n.Kind == Member:
			text = "." + text
		case n.Kind == Keyword:
			text += "~"
		case n.Declares:
			text += "¹"
		case n.Binding < 0:
			text += "?"
		default:
			d := names[n.Binding]
			line := src[:d.Start]
			text += fmt.Sprintf("%d:%d", strings.Count(line, "\n")+1, int(d.Start)-strings.LastIndexByte(line, '\n'))
			if src[d.Start:d.End] != src[n.Start:n.End] {
				t.Errorf("%s is bound to %s", src[n.Start:n.End], src[d.Start:d.End])
			}
			if n.Start < d.Scope.Start || n.Start > d.Scope.End {
				t.Errorf("%s at %d is outside of its scope %v", src[n.Start:n.End], n.Start, d.Scope)
			}
		}
		if n.Short {
			text += "!"
		}
		b.WriteString(text)
	}
	b.WriteString(src[at:])
	return strings.TrimSpace(b.String())
}

// TestNames: what a name stands for. Without it a rename would be suggested for another
// variable of the same name.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		lang      Language
		src, want string
	}{
		{Go, `package p

import q "x"

var g, h = 1, 2

type T[K any] struct{ F, g int }

func (r *T) M(a int, v ...string) (err error) {
	x, err := g, a
	if x := x; x > 0 {
		x++
	}
	for i, g := range v {
		_ = T{F: i, g: g}
		_ = map[int]int{i: x}
	}
	g := g
	switch u := g.(type) {
	case int:
		r.g = u
	}
	f := func(a int) int { return a + g }
	return q.N(x, f, later, err)
}

func later(F int) int { return F }
`, `package p~

import q¹ "x"

var g¹, h¹ = 1, 2

type T¹[K¹ any?] struct{ .F¹, .g¹ int? }

func (r¹ *T7:6) .M¹(a¹ int?, v¹ ...string?) (err¹ error?) {
	x¹, err9:36 := g5:5, a9:15
	if x¹ := x10:2; x11:5 > 0 {
		x11:5++
	}
	for i¹, g¹ := range v9:22 {
		_ = T7:6{.F: i14:6, .g: g14:9}
		_ = map[int?]int?{i14:6: x10:2}
	}
	g¹ := g5:5
	switch u¹ := g18:2.(type) {
	case int?:
		r9:7..g = u19:9
	}
	f¹ := func(a¹ int?) int? { return a23:12 + g18:2 }
	return q3:8..N(x10:2, f23:2, later27:6, err9:36)
}

func later¹(F¹ int?) int? { return F27:12 }`},
		{Python, `import os, a.b as c
from m import n, o as p

total = 1

class K(Base):
    total = 2
    def f(self, a, total=total, *args, d: int = 3, **kw):
        x = y, z = total, a
        for i, j in args:
            x = i
        with g(k=d) as h:
            pass
        l = lambda q, x=1: q + x
        s = [x for x in z if x]
        self.total = x.n(f"{x}")
        return total

    def g(self):
        global count
        count = total
        return os.path, c, p, n

def g():
    return count
`, `import os¹, a~.b~ as c¹
from m~ import n¹, o~ as p¹

total¹ = 1

class K¹(Base?):
    total¹ = 2
    def .f¹(self¹, a¹, total¹=total7:5, *args¹, d¹: int? = 3, **kw¹):
        x¹ = y¹, z¹ = total8:20, a8:17
        for i¹, j¹ in args8:34:
            x9:9 = i10:13
        with g24:5(k~=d8:40) as h¹:
            pass
        l¹ = lambda q¹, x¹=1: q14:20 + x14:23
        s¹ = [x15:20 for x¹ in z9:16 if x15:20]
        self8:11..total = x9:9..n(f"{x9:9}")
        return total8:20

    def .g¹(self¹):
        global count21:9
        count¹ = total4:1
        return os1:8..path, c1:19, p2:23, n2:15

def g¹():
    return count21:9`},
		{TypeScript, `import d, {n as o, p} from './m'; import * as ns from 'x';
const a = 1, {b, c: e, ...rest} = later(a);
function later<T>(x: T, y?: string) {
	try { for (const i of y) { const x = i; use(x) } } catch (err) { x = err }
	return { a, k: x }
}
class K extends d { fld = 1; m(q) { this.fld = q.r; return p.k } }
const h = (u, v) => u + v, w = s => ` + "`${s} ${h}`" + `;
`, `import d¹, {n~ as o¹, p¹} from './m'; import * as ns¹ from 'x';
const a¹ = 1, {b¹!, .c: e¹, ...rest¹} = later3:10(a2:7);
function later¹<T¹>(x¹: T3:16, y¹?: string) {
	try { for (const i¹ of y3:25) { const x¹ = i4:19; use?(x4:35) } } catch (err¹) { x3:19 = err4:60 }
	return { a2:7!, .k: x3:19 }
}
class K¹ extends d1:8 { .fld¹ = 1; .m¹(q¹) { this..fld = q7:32..r; return p1:20..k } }
const h¹ = (u¹, v¹) => u8:12 + v8:15, w¹ = s¹ => ` + "`${s8:32} ${h8:7}`" + `;`},
		{Rust, `use a::b::{c, d as e};
fn f(x: i32, (p, q): (i32, i32)) -> i32 {
    let x = x + 1;
    if let Some(v) = p { return v; }
    match q { n if n > 1 => n, P::Q { r, s: t } => r + t, None => 0 };
    let g = |m, n: i32| m + n + x;
    let s = S { z: x, x };
    s.z.f()
}
struct S { z: i32 }
impl S { fn f(&self) -> i32 { self.z } }
`, `use a~::b~::{c¹, d~ as e¹};
fn f¹(x¹: i32, (p¹, q¹): (i32, i32)) -> i32 {
    let x¹ = x2:6 + 1;
    if let Some?(v¹) = p2:15 { return v4:17; }
    match q2:18 { n¹ if n5:15 > 1 => n5:15, P?::.Q { r¹!, .s: t¹ } => r5:39 + t5:45, None? => 0 };
    let g¹ = |m¹, n¹: i32| m6:14 + n6:17 + x3:9;
    let s¹ = S10:8 { .z: x3:9, x3:9! };
    s7:9..z..f()
}
struct S¹ { .z¹: i32 }
impl S10:8 { fn .f¹(&self) -> i32 { self..z } }`},
		{C, `typedef struct s { int f; } T;
static int g = 1, *h;
int proto(int g, char *x);
int fn(int a, T *b, char c[]) {
	int g = a + g;
	for (int i = 0; i < g; i++) { int a = i; use(a); }
	b->f = proto(a, h);
	return g;
}
`, `typedef struct s¹ { int .f¹; } T¹;
static int g¹ = 1, *h¹;
int proto¹(int g¹, char *x¹);
int fn¹(int a¹, T1:29 *b¹, char c¹[]) {
	int g¹ = a4:12 + g2:12;
	for (int i¹ = 0; i6:11 < g5:6; i6:11++) { int a¹ = i6:11; use?(a6:36); }
	b4:18->.f = proto3:5(a4:12, h2:20);
	return g5:6;
}`},
		{CPP, `namespace n { class K : B { int f; K(int a) : f(a) {} void m(int q) { this->f = q; } }; }
template<class T> T g(T x) { for (auto i : x) {} auto [p, q] = x; return p.f; }
`, `namespace n¹ { class K¹ : B? { int .f¹; K¹(int a¹) : .f(a1:42) {} void .m¹(int q¹) { this->.f = q1:66; } }; }
template<class T¹> T2:16 g¹(T2:16 x¹) { for (auto i¹ : x2:25) {} auto [p¹, q¹] = x2:25; return p2:56..f; }`},
		{Java, `class K { int f = 1; int m(int a, String... b) { int f = this.f + a, y = f; for (int i : b) { y += i; }
 try (R r = q()) { use(r); } catch (E e) { m(e); } F l = (u, v) -> u; G g = s -> s; return o.m(y); } }
`, `class K¹ { int f¹ = 1; int m¹(int a¹, String?... b¹) { int f¹ = this..f + a1:32, y¹ = f1:54; for (int i¹ : b1:45) { y1:70 += i1:86; }
 try (R? r¹ = q?()) { use?(r2:9); } catch (E? e¹) { m1:26(e2:39); } F? l¹ = (u¹, v¹) -> u2:59; G? g¹ = s¹ -> s2:77; return o?..m(y1:70); } }`},
	} {
		got := shown(t, c.lang, c.src)
		if diff := cmp.Diff(strings.Split(c.want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s:\n%s\n%s", c.lang, diff, got)
		}
	}
}

package cuda

import (
	"errors"

	"github.com/seedling-lsp/seedling/engine/backend"
)

// pageSize is how many tokens a page of the cache holds (kernels/attention.cu).
const pageSize = 64

// pager knows which pages of the cache hold which sequence. Forks share pages; a shared
// page is copied when one of its sequences writes into it. There are as many pages as all
// sequences at full length take, so that they are never too few.
type pager struct {
	free  []int32
	refs  []int32 // of each page
	table map[backend.Sequence][]int32
}

func newPager(pages int) *pager {
	p := &pager{refs: make([]int32, pages), table: map[backend.Sequence][]int32{}}
	for i := pages; i > 0; i-- {
		p.free = append(p.free, int32(i-1))
	}
	return p
}

var errPages = errors.New("the cache has no free page: a fault of the backend")

func (p *pager) take() (int32, error) {
	if len(p.free) == 0 {
		return 0, errPages
	}
	n := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.refs[n] = 1
	return n, nil
}

func (p *pager) drop(page int32) {
	if p.refs[page]--; p.refs[page] == 0 {
		p.free = append(p.free, page)
	}
}

// extend gives seq, which holds `have` tokens, pages of its own to write tokens [have, n)
// into. What it does is sound even if it fails halfway or the tokens are never written.
func (p *pager) extend(seq backend.Sequence, have, n int, copy func(to, from int32) error) error {
	t := p.table[seq]
	for i := have / pageSize; i*pageSize < n; i++ {
		if i < len(t) && p.refs[t[i]] == 1 {
			continue
		}
		page, err := p.take()
		if err != nil {
			return err
		}
		if i == len(t) {
			t = append(t, page)
			p.table[seq] = t
			continue
		}
		if i*pageSize < have { // tokens of it stay
			if err := copy(page, t[i]); err != nil {
				p.drop(page)
				return err
			}
		}
		p.drop(t[i])
		t[i] = page
	}
	return nil
}

// truncate forgets the pages from token n on.
func (p *pager) truncate(seq backend.Sequence, n int) {
	t := p.table[seq]
	for _, page := range t[min(len(t), up(n, pageSize)):] {
		p.drop(page)
	}
	p.table[seq] = t[:min(len(t), up(n, pageSize))]
}

// fork makes `to` a copy of the first n tokens of `from`.
func (p *pager) fork(to, from backend.Sequence, n int) {
	t := append([]int32(nil), p.table[from][:up(n, pageSize)]...)
	for _, page := range t {
		p.refs[page]++
	}
	p.table[to] = t
}

func (p *pager) release(seq backend.Sequence) {
	p.truncate(seq, 0)
	delete(p.table, seq)
}

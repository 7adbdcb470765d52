package ptx

import "maps"

// Family is a kind of instructions.
type Family uint8

// The families that are counted apart.
const (
	Integer Family = iota
	Float
	Convert
	Move    // mov, selp, prmt, cvta
	Compare // setp, logic of predicates
	Control // bra, ret, barriers, fences
	Load
	Store
	Atomic
	Exchange // shuffles, votes
	Matrix   // mma, wgmma, ldmatrix
	Copying  // asynchronous copies and what they wait with
	families
)

var familyNames = [families]string{"integer", "float", "convert", "move", "compare", "control", "load", "store", "atomic", "exchange", "matrix", "copy"}

func (f Family) String() string { return familyNames[f] }

// Counters are what a kernel did, over all its launches.
type Counters struct {
	Launches, Blocks int64
	Instructions     [families]int64 // of warps
	// Bytes that lanes asked global memory for, and 32-byte sectors that their warps touched:
	// a warp that asks a sector twice in one access has touched it once.
	Loaded, Stored               int64
	LoadedSectors, StoredSectors int64
	// Accesses of shared memory take a turn each if no bank is asked twice; Conflicts are the
	// turns more than that.
	SharedTurns, Conflicts int64
	// MultiplyAdds of matrix instructions.
	MultiplyAdds int64
}

// Total is all instructions.
func (c *Counters) Total() (n int64) {
	for _, v := range c.Instructions {
		n += v
	}
	return n
}

func (c *Counters) add(o *Counters) {
	c.Launches += o.Launches
	c.Blocks += o.Blocks
	for i, v := range o.Instructions {
		c.Instructions[i] += v
	}
	c.Loaded += o.Loaded
	c.Stored += o.Stored
	c.LoadedSectors += o.LoadedSectors
	c.StoredSectors += o.StoredSectors
	c.SharedTurns += o.SharedTurns
	c.Conflicts += o.Conflicts
	c.MultiplyAdds += o.MultiplyAdds
}

// Counters are what each kernel did so far, by name.
func (m *Machine) Counters() map[string]Counters {
	out := map[string]Counters{}
	for name, c := range maps.All(m.counters) {
		out[name] = *c
	}
	return out
}

// ResetCounters begins to count anew.
func (m *Machine) ResetCounters() { clear(m.counters) }

// sectors counts an access of n bytes a lane to global memory.
func (w *warp) sectors(base *lanes, off int64, n int, mask uint32, write bool) {
	var seen [32]uint64
	k, bytes := 0, int64(0)
	for l := range 32 {
		if mask>>l&1 == 0 {
			continue
		}
		bytes += int64(n)
		s := (base[l] + uint64(off)) >> 5
		found := false
		for i := k - 1; i >= 0; i-- { // the last is the likeliest
			if seen[i] == s {
				found = true
				break
			}
		}
		if !found {
			seen[k] = s
			k++
		}
	}
	c := &w.b.count
	if write {
		c.Stored += bytes
		c.StoredSectors += int64(k)
	} else {
		c.Loaded += bytes
		c.LoadedSectors += int64(k)
	}
}

// banks counts an access of n bytes a lane to shared memory: 32 banks of 4 bytes; lanes that
// ask for the same word share it; accesses of 8 and 16 bytes take half and quarter warps.
func (w *warp) banks(base *lanes, off int64, n int, mask uint32) {
	per := 32
	if n == 8 {
		per = 16
	} else if n == 16 {
		per = 8
	}
	for from := 0; from < 32; from += per {
		var words [32][2]uint64 // of a bank; more than two are counted as they come
		var deep [32]int
		turns := 0
		for l := from; l < from+per; l++ {
			if mask>>l&1 == 0 {
				continue
			}
			a := base[l] + uint64(off)
			for i := 0; i < max(n, 4); i += 4 {
				word := (a + uint64(i)) >> 2
				bank := word & 31
				d := deep[bank]
				if d > 0 && words[bank][0] == word || d > 1 && words[bank][1] == word {
					continue
				}
				if d < 2 {
					words[bank][d] = word
				}
				deep[bank]++
				turns = max(turns, d+1)
			}
		}
		if turns > 0 {
			w.b.count.SharedTurns += int64(turns)
			w.b.count.Conflicts += int64(turns - 1)
		}
	}
}

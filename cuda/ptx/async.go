package ptx

type bulkGroups struct{}

func (b *bulkGroups) reading() bool { return false }

type product struct{}
type mbarrier struct{}

func (d *decoder) bulkCopy()     { d.fail("not yet") }
func (d *decoder) copiesArrive() { d.fail("not yet") }

// finish looks at what a block leaves behind.
func (b *block) finish() { b.count.Blocks++ }

package nextedit
import ("testing";"strings";"time";"github.com/seedling-lsp/seedling/treesitter")
func TestZ(t *testing.T){
 p := treesitter.NewParser(treesitter.Limits{}); defer p.Close()
 for name, src := range map[string]string{"args":"package a\nfunc g() { f("+strings.Repeat("1,",60000)+"1) }\n","decls":"package a\nfunc g() {"+strings.Repeat("a := 1\n",20000)+"}\n","idents":"package a\nvar b = "+strings.Repeat("a+",60000)+"a\n","nest":"package a\nvar b = "+strings.Repeat("f(",250)+strings.Repeat(")",250)+"\n", "blocks":"package a\nfunc g() {"+strings.Repeat("{a:=1\n",280)+strings.Repeat("}",280)+"}\n"} {
  st := time.Now()
  c := Change{Before: parsed(t,p,"a.go",src), After: parsed(t,p,"a.go",strings.Replace(src,"a","bb",2))}
  c.Start,c.OldEnd,c.NewEnd = Difference(c.Before.Text,c.After.Text)
  t.Log(name, "parse", time.Since(st)); st=time.Now()
  c.Before.Tree.Names(); t.Log("names", time.Since(st)); st=time.Now()
  c.Before.Tree.Tokens(); t.Log("tokens", time.Since(st)); st=time.Now()
  c.Before.Tree.Lists(); t.Log("lists", time.Since(st)); st=time.Now()
  Places(c,nil); t.Log("places", time.Since(st))
 }}

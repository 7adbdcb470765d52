-- How long a key takes to become ghost text, and what of it is the server's:
--
--   SEEDLING=…/seedling nvim --clean --headless -l editors/neovim/test/latency.lua
local here = vim.fs.dirname(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
_G.arg = { 'no test has this name' }
local exit = os.exit
os.exit = function() end
dofile(here .. '/run.lua')
os.exit = exit
local T = _G.T

local lines = { 'package load', '', 'import (', '\t"fmt"', '\t"os"', ')', '' }
for _, name in ipairs({ 'read', 'size', 'text', 'copy' }) do
  vim.list_extend(lines, {
    ('// %s is about the text of a file.'):format(name),
    ('func %s(path string) (string, error) {'):format(name),
    '\tb, err := os.ReadFile(path)',
    '\tif err != nil {',
    ('\t\treturn "", fmt.Errorf("%s %%s: %%w", path, err)'):format(name),
    '\t}',
    '\treturn string(b), nil',
    '}',
    '',
  })
end
local file = vim.fn.tempname() .. '.go'
vim.fn.writefile(lines, file)
local e = T.editor(
  [[
    local program, file = ...
    require('seedling').setup({ cmd = { program, 'lsp' }, next_edits = false })
    local now = vim.uv.hrtime
    local client = require('seedling.client')
    local request, key, sent = client.request, nil, nil
    _G.times = {}
    vim.on_key(function() key = now() end)
    client.request = function(c, method, params, handler, buf)
      if method ~= 'textDocument/inlineCompletion' then return request(c, method, params, handler, buf) end
      local from, sent = key, now()
      return request(c, method, params, function(err, result)
        local got = now()
        handler(err, result)
        if not err and from then
          vim.cmd.redraw()
          table.insert(_G.times, { (now() - from) / 1e6, (got - sent) / 1e6, require('seedling.ghost').shown() and 1 or 0 })
        end
      end, buf)
    end
    vim.cmd.edit(file)
  ]],
  vim.env.SEEDLING,
  file
)
T.eventually('a server that is ready', function()
  return e:lua([[return (require('seedling.client').state())]]) == 'ready'
end)
vim.wait(3000) -- what is read of the folder
e:type('Go')
local text = { 'func', ' load', '(path', ' string)', ' (string,', ' error)', ' {', '<CR>b,', ' err', ' :=', ' os', '.', 'ReadFile', '(' }
local keys = 0
for _, word in ipairs(text) do
  for k in (word:sub(1, 1) == '<' and word or word):gmatch(word:sub(1, 1) == '<' and '<CR>' or '.') do
    local had = e:lua('return #_G.times')
    e:type(k)
    keys = keys + 1
    vim.wait(2000, function()
      return e:lua('return #_G.times') > had
    end, 2)
    vim.wait(60)
  end
end
local times = e:lua('return _G.times')
local function percentile(i, p)
  local v = {}
  for _, t in ipairs(times) do
    if t[3] == 1 then
      v[#v + 1] = t[i]
    end
  end
  table.sort(v)
  return v[math.max(1, math.ceil(p * #v))], #v
end
local p50, n = percentile(1, 0.5)
print(('%d keys, %d became ghost text, Neovim %s'):format(keys, n, tostring(vim.version())))
print(('key to drawn ghost text: p50 %.1f ms, p95 %.1f ms'):format(p50, (percentile(1, 0.95))))
print(('of that from request to answer: p50 %.1f ms, p95 %.1f ms'):format((percentile(2, 0.5)), (percentile(2, 0.95))))
e:close()
os.exit(0)

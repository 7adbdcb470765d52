-- The real server, with the small model.
local T = _G.T
vim.env.SEEDLING_MODEL = 'small' -- what the tests expect is of it, on any machine

local program = vim.env.SEEDLING
local start = [[
  local program, file = ...
  -- A busy machine may take its time: these tests are about what comes.
  require('seedling').setup({ cmd = { program, 'lsp' }, next_edits = true, settings = { deadlineMs = 10000 } })
  vim.cmd.edit(file)
]]

-- A file in which the next line is clear to whoever has read the lines above.
T.before = {
  'package load',
  '',
  'import (',
  '\t"fmt"',
  '\t"os"',
  ')',
  '',
  '// read is the text of a file.',
  'func read(path string) (string, error) {',
  '\tb, err := os.ReadFile(path)',
  '\tif err != nil {',
  '\t\treturn "", fmt.Errorf("read %s: %w", path, err)',
  '\t}',
  '\treturn string(b), nil',
  '}',
  '',
  '// size is the length of a file.',
  'func size(path string) (int, error) {',
  '\tb, err := os.ReadFile(path)',
  '}',
}

--- An editor with the real server, on a file that is given or T.before.
function T.real(lines, name, others)
  local dir = vim.fn.tempname()
  vim.fn.mkdir(dir, 'p')
  for other, text in pairs(others or {}) do
    vim.fn.writefile(text, dir .. '/' .. other)
  end
  local file = dir .. '/' .. (name or 'load.go')
  vim.fn.writefile(lines or T.before, file)
  local e = T.editor(start, program, file)
  e.file = file
  T.eventually('a server that is ready', function()
    return e:lua([[return (require('seedling.client').state())]]) == 'ready'
  end)
  return e
end

local editor = T.real

T.test('real: typed, seen, taken, undone', function()
  local e = editor()
  e:type('19Go')
  local seen
  for _, keys in ipairs({ 'if', ' err', ' !=', ' nil', ' {', '<CR>return', ' 0,', ' fmt' }) do
    e:type(keys)
    seen = vim.wait(1500, function()
      return e:screen():find('«.') ~= nil
    end, 5)
    if seen then
      break
    end
  end
  assert(seen, 'no ghost text along\n' .. e:screen())
  local screen, text = e:screen(), e:lines()
  e:type('<Tab>')
  local want = screen:gsub('«', ''):gsub('»', '')
  T.eventually('taken:\n' .. want, function()
    return e:lines() == want
  end)
  e:type('<Esc>u')
  T.eventually('undone', function()
    return e:lines() == text
  end)
end)

T.test('real: settings change while it runs', function()
  local e = editor()
  e:lua([[vim.cmd('Seedling toggle')]])
  T.equal(e:notes('off'), 1, 'said so')
  e:type('19Goif err')
  e:settle()
  vim.wait(500)
  T.equal(e:screen():find('«', 1, true), nil, 'ghost text while off')
  e:type('<Esc>u')
  e:lua([[vim.cmd('Seedling toggle')]])
  e:type('19Goif err != nil')
  T.eventually('ghost text again', function()
    return e:screen():find('«', 1, true) ~= nil
  end)
end)

T.test('real: a whole function', function()
  local lines = vim.list_slice(T.before, 1, 16)
  vim.list_extend(lines, { '// text is the text of a file.', 'func text(path string) (string, error) {', '}' })
  local e = editor(lines)
  e:type('18G$')
  e:lua([[vim.cmd('Seedling fill')]])
  T.eventually('a preview', function()
    return e:lines():find('\n+\t', 1, true) or e:notes('Seedling: ') > 0
  end, 60000)
  e:type('<CR>')
  T.eventually('a body', function()
    return select(2, e:lines():gsub('\n', '')) > #lines or e:notes('Seedling: ') > 0
  end, 60000)
  T.equal(e:lua('return _G.notes'), {}, 'messages')
  assert(e:lines():find('func text%(path string%) %(string, error%) {\n\t[^\n]*\n'), e:lines())
end)

T.test('real: a code action on a selection, seen first', function()
  local text = { 'package a', '', '// half is one half of n.', 'func half(n int) int {', '}' }
  local e = editor(text)
  local function preview()
    e:type('3GVjj:Seedling edit<CR>') -- of a selection
    T.eventually('a preview', function()
      return e:lines():find('\n+\t', 1, true) or e:notes('') > 0
    end, 60000)
    T.equal(e:lua('return _G.notes'), {}, 'messages')
    T.equal(e:lua('return vim.bo.filetype'), 'diff', 'it is shown as')
    return e:lines()
  end
  local shown = preview()
  e:type('q')
  T.eventually('the file', function()
    return e:lua('return vim.bo.filetype') == 'go'
  end)
  vim.wait(300)
  T.equal(e:lines(), table.concat(text, '\n'), 'left as it was')
  T.equal(preview(), shown, 'the same is offered again')
  e:type('<CR>')
  local body = shown:match('\n%+(\t[^\n]+)')
  T.eventually('a body', function()
    return e:lines():find('func half(n int) int {\n' .. body, 1, true)
  end)
  e:type('u')
  e:sees(table.concat(text, '\n'))
end)

T.test('real: nothing is said to be nothing', function()
  local e = editor({ 'package a', '', 'var a = 1' })
  e:lua([[vim.cmd('3Seedling edit')]])
  T.eventually('a message or a preview', function()
    return e:notes('nothing that it would change') == 1 or e:lua('return vim.bo.filetype') == 'diff'
  end, 60000)
end)

T.test('real: the next edit', function()
  local e = editor({ 'package a', '', 'func f(count int) int {', '\tif count > 3 {', '\t\treturn count', '\t}', '\treturn count + 1', '}' })
  e:type('3G0f(lciwtotal<Esc>')
  T.eventually('places that want the same', function()
    return e:lua([[
      local ns = vim.api.nvim_create_namespace('seedling.nextedit')
      return #vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, {})
    ]]) >= 1
  end)
  for _ = 1, 12 do
    e:type('<M-n>')
    e:settle()
    vim.wait(100)
  end
  T.eventually('all renamed', function()
    return not e:lines():find('count', 1, true)
  end)
end)

T.test('real: the next edit in a file that is not open', function()
  -- A project: Neovim 0.10 starts a server for each file that belongs to none.
  local e = editor({ 'package a', '', 'func total(n int) int { return n }', '' }, 'total.go', { ['go.mod'] = { 'module a' }, ['use.go'] = { 'package a', '', 'var b = total(1)' } })
  local there = [[
    local ns = vim.api.nvim_create_namespace('seedling.nextedit')
    return vim.inspect(vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true }))
  ]]
  local found
  for _ = 1, 30 do -- the files of the folder are read once something was asked
    e:type('Goif ')
    e:settle()
    vim.wait(200)
    e:type('<Esc>u3G0ftcwsum<Esc>')
    e:settle()
    found = vim.wait(700, function()
      return e:lua(there):find('use.go:3', 1, true) ~= nil
    end, 20)
    if found then
      break
    end
    e:type('u')
    e:settle()
  end
  T.equal(found, true, e:lua(there))
  e:type('<M-n>')
  T.eventually('the other file, and its place', function()
    return e:lua('return vim.fn.expand("%:t")') == 'use.go' and e:lua(there):find('sum', 1, true)
  end)
  for _ = 1, 4 do
    e:type('<M-n>')
    e:settle()
    vim.wait(100)
  end
  T.eventually('it is renamed', function()
    return e:lines():find('var b = sum(1)', 1, true)
  end)
end)

T.test('real: killed, and started again, but not for ever', function()
  local e = editor()
  for i = 1, 3 do
    local pid = T.eventually('a server', function()
      local ids = vim.fn.systemlist({ 'pgrep', '-P', tostring(e:lua('return vim.fn.getpid()')), '-x', 'seedling' })
      return vim.v.shell_error == 0 and tonumber(ids[1])
    end)
    vim.uv.kill(pid, 'sigkill')
    T.eventually('a message', function()
      return e:notes(i < 3 and 'is started again' or 'is not started again') == (i < 3 and i or 1)
    end)
  end
  e:lua([[vim.cmd('Seedling restart')]])
  T.eventually('started by hand', function()
    return e:lua([[return (require('seedling.client').state())]]) == 'ready'
  end)
  e:type('19Goif err != nil')
  T.eventually('ghost text', function()
    return e:screen():find('«', 1, true) ~= nil
  end)
end)

T.test('no program: one message', function()
  local e = T.editor(start, '/nowhere/seedling', vim.fn.tempname() .. '.go')
  e:lua([[vim.cmd.edit(vim.fn.tempname() .. '.go')]])
  e:settle()
  T.equal(e:notes('not on PATH'), 1, 'messages')
  e:type('ihello<Tab>x<Esc>')
  e:sees('hello\tx')
end)

T.test('help: every tag is there', function()
  local e = T.editor('')
  local missing = e:lua(
    [[
      local doc = ...
      vim.cmd.helptags(doc)
      local missing = {}
      for _, tag in ipairs({ 'seedling', 'seedling-keys', ':Seedling', 'seedling-options', 'seedling-statusline' }) do
        local ok = pcall(vim.cmd.help, tag)
        if not ok or vim.fn.expand('%:t') ~= 'seedling.txt' then table.insert(missing, tag) end
      end
      vim.fn.delete(doc .. '/tags')
      return missing
    ]],
    T.plugin .. '/doc'
  )
  T.equal(missing, {}, 'tags that are missing')
end)

T.test('checkhealth', function()
  local e = editor()
  local text = e:lua([[
    vim.cmd('checkhealth seedling')
    return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
  ]])
  assert(text:find('model small', 1, true), text)
end)

T.test('a folder that is added late, as lazy.nvim does', function()
  local dir = vim.fn.tempname()
  vim.fn.mkdir(dir, 'p')
  for _, part in ipairs({ 'doc', 'lua', 'plugin' }) do
    vim.fn.system({ 'cp', '-r', T.plugin .. '/' .. part, dir })
  end
  vim.fn.delete(dir .. '/doc/tags')
  local job = vim.fn.jobstart({ vim.v.progpath, '--clean', '--embed', '--headless', '-n' }, { rpc = true })
  local got = vim.rpcrequest(
    job,
    'nvim_exec_lua',
    [[
      vim.opt.rtp:prepend(...)
      require('seedling').setup({})
      return { vim.fn.exists(':Seedling'), vim.fn.getcompletion('seedling-', 'help')[1] ~= nil }
    ]],
    { dir }
  )
  vim.fn.jobstop(job)
  T.equal(got, { 2, true }, 'the command, the help')
end)

T.test('the other commands', function()
  local e = editor()
  e:lua([[vim.cmd('Seedling status')]])
  T.equal(e:notes('ready, model small'), 1, 'status')
  e:lua([[vim.cmd('Seedling stats')]])
  T.eventually('stats', function()
    return e:lua('return #_G.notes') == 2
  end)
  T.equal(e:notes('does not run'), 0, 'stats')
  e:lua([[vim.cmd('Seedling next')]])
  T.equal(e:notes('no next edit here'), 1, 'next')
  e:lua([[vim.cmd('Seedling nonsense')]])
  T.equal(e:notes('there are edit, fill, log, next, restart, stats, status, toggle'), 1, 'unknown')
  T.equal(e:lua([[return require('seedling').statusline()]]), 'seedling: ready', 'status line')
  e:lua([[vim.cmd('Seedling log')]])
  assert(e:lua('return vim.api.nvim_buf_get_name(0)'):find('lsp.log', 1, true), 'log')
  T.equal(e:lua([[return vim.fn.execute('messages')]]):find('deprecated', 1, true), nil, 'deprecation')
end)

-- Drives a real Neovim over RPC, as its own tests do:
--
--   SEEDLING=…/seedling nvim --clean --headless -l editors/neovim/test/run.lua [NAME]
--
-- Each test has an editor of its own. Those of ghost.lua answer in the server's place, so that
-- an answer can be late, stale or odd; those of server.lua talk to the real one.
local here = vim.fs.dirname(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
local plugin = vim.fs.dirname(here)
local T = { plugin = plugin, tests = {} }

local Editor = {}
Editor.__index = Editor

--- Starts an editor. vimrc is Lua that it runs first.
function T.editor(vimrc, ...)
  local e = setmetatable({}, Editor)
  local state = vim.fn.tempname()
  vim.fn.mkdir(state, 'p')
  e.dir = state
  e.job = vim.fn.jobstart({ vim.v.progpath, '--clean', '--embed', '--headless', '-n' }, {
    rpc = true,
    env = { XDG_STATE_HOME = state, XDG_DATA_HOME = state, XDG_CONFIG_HOME = state, XDG_CACHE_HOME = state },
  })
  assert(e.job > 0, 'no editor')
  e:lua(
    [[
      local plugin, vimrc, args = ...
      vim.opt.rtp:prepend(plugin)
      vim.o.swapfile = false
      vim.o.expandtab = false
      _G.notes = {}
      vim.notify = function(text) table.insert(_G.notes, text) end
      vim.cmd.runtime('plugin/seedling.lua')
      assert(load(vimrc))(unpack(args))
    ]],
    plugin,
    vimrc or '',
    { ... }
  )
  T.open = T.open or {}
  table.insert(T.open, e)
  return e
end

function Editor:lua(code, ...)
  return vim.rpcrequest(self.job, 'nvim_exec_lua', code, { ... })
end

--- Types keys as a person does: through the editor's input queue.
function Editor:type(keys)
  vim.rpcrequest(self.job, 'nvim_input', keys)
end

function Editor:lines()
  return table.concat(vim.rpcrequest(self.job, 'nvim_buf_get_lines', 0, 0, -1, false), '\n')
end

--- The text as a person sees it: ghost text in «», in its place.
function Editor:screen()
  return self:lua([[
    local lines = vim.api.nvim_buf_get_lines(0, 0, -1, false)
    local ns = vim.api.nvim_create_namespace(_G.ghost_namespace or 'seedling.ghost')
    local marks = vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })
    local below = {}
    for i = #marks, 1, -1 do
      local _, row, col, d = unpack(marks[i])
      local function flat(chunks)
        local out = ''
        for _, c in ipairs(chunks or {}) do out = out .. c[1] end
        return out
      end
      local text = flat(d.virt_text)
      for _, l in ipairs(d.virt_lines or {}) do text = text .. '\n' .. flat(l) end
      if text ~= '' then
        lines[row + 1] = lines[row + 1]:sub(1, col) .. '«' .. text .. '»' .. lines[row + 1]:sub(col + 1)
      end
    end
    return table.concat(lines, '\n')
  ]])
end

--- Waits until something holds.
function T.eventually(what, fn, ms)
  local value
  local ok = vim.wait(ms or 20000, function()
    value = fn()
    return value
  end, 5)
  if not ok then
    error('never: ' .. what, 2)
  end
  return value
end

function T.equal(got, want, what)
  if not vim.deep_equal(got, want) then
    error(('%s:\n got  %s\n want %s'):format(what or 'not equal', vim.inspect(got), vim.inspect(want)), 2)
  end
end

function Editor:sees(want)
  local got
  local ok = vim.wait(20000, function()
    got = self:screen()
    return got == want
  end, 5)
  if not ok then
    error(('the screen is\n%s\nnot\n%s\nnotes: %s'):format(got, want, vim.inspect(self:lua('return _G.notes'))), 2)
  end
end

--- Waits until the editor has dealt with its input.
function Editor:settle()
  self:lua('return 1')
  vim.wait(20)
  self:lua('return 1')
end

function Editor:notes(pattern)
  return self:lua(
    [[
      local n = 0
      for _, text in ipairs(_G.notes) do
        if text:find(..., 1, true) then n = n + 1 end
      end
      return n
    ]],
    pattern
  )
end

function Editor:close()
  pcall(vim.fn.jobstop, self.job)
  vim.fn.jobwait({ self.job }, 5000)
  vim.fn.delete(self.dir, 'rf')
end

--- Random whole numbers from 1 on, the same in every Neovim.
function T.random(seed)
  local state = seed
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
  end
end

function T.test(name, fn)
  table.insert(T.tests, { name, fn })
end

package.path = here .. '/?.lua;' .. package.path
_G.T = T
require('ghost')
require('server')
require('haste')

local only, failed, ran = _G.arg[1], 0, 0
for _, t in ipairs(T.tests) do
  if not only or t[1]:find(only, 1, true) then
    ran = ran + 1
    local ok, err = xpcall(t[2], debug.traceback)
    io.write((ok and 'ok    ' or 'FAIL  ') .. t[1] .. '\n')
    if not ok then
      failed = failed + 1
      io.write(tostring(err) .. '\n')
    end
    for _, e in ipairs(T.open or {}) do
      e:close()
    end
    T.open = {}
  end
end
io.write(('%d tests, %d failed, %s\n'):format(ran, failed, tostring(vim.version())))
os.exit((failed > 0 or ran == 0) and 1 or 0)

-- The server: found, started, watched, started again.
local M = {}

local api, lsp = vim.api, vim.lsp

local status = { state = 'starting' } -- the server's last seedling/status
local deaths = {} -- times at which it ended by itself
local asked_to_stop = false
local missing_told = false

-- A server that dies so often in so many seconds is left alone.
M.most_deaths, M.within = 3, 180

local function options()
  return require('seedling').options
end

local function tell(text, level)
  vim.schedule(function()
    vim.notify('Seedling: ' .. text, level or vim.log.levels.INFO)
  end)
end

---@return string? path of the program, nil where there is none
function M.program()
  if type(options().cmd) == 'function' then
    return 'a function' -- as vim.lsp.start takes it
  end
  local path = vim.fn.exepath(options().cmd[1])
  return path ~= '' and path or nil
end

--- What to do where the program is missing.
function M.hint()
  return ('the program %q is not on PATH. Build it with `go install .` in the Seedling repository, or name it: require("seedling").setup({ cmd = { "/path/to/seedling", "lsp" } })'):format(
    options().cmd[1]
  )
end

local words = { ready = 'ready', busy = 'thinking', off = 'paused', error = 'failed', starting = 'starting' }

---@return string state, string message
function M.state()
  return words[status.state] or status.state, status.message or '', status.model or ''
end

--- The client of a buffer.
---@return vim.lsp.Client?
function M.of(buf)
  return lsp.get_clients({ bufnr = buf == 0 and api.nvim_get_current_buf() or buf, name = 'seedling' })[1]
end

--- Sends a request, in the form that this version of Neovim wants.
---@return integer? id
function M.request(client, method, params, handler, buf)
  local sent, id
  if vim.fn.has('nvim-0.11') == 1 then
    sent, id = client:request(method, params, handler, buf)
  else
    sent, id = client.request(method, params, handler, buf)
  end
  return sent and id or nil
end

function M.cancel(client, id)
  if vim.fn.has('nvim-0.11') == 1 then
    client:cancel_request(id)
  else
    client.cancel_request(id)
  end
end

function M.notify(client, method, params)
  if vim.fn.has('nvim-0.11') == 1 then
    client:notify(method, params)
  else
    client.notify(method, params)
  end
end

--- Gives all buffers to a new server, when Neovim has forgotten the old ones.
local function renew(tries)
  if #lsp.get_clients({ name = 'seedling' }) > 0 and tries < 250 then
    return vim.defer_fn(function()
      renew(tries + 1)
    end, 20)
  end
  M.attach_all()
end

local function exited(code, signal)
  status = { state = 'error', message = 'the server ended' }
  if asked_to_stop or vim.v.exiting ~= vim.NIL then
    return
  end
  local now = os.time()
  deaths = vim.tbl_filter(function(t)
    return now - t < M.within
  end, deaths)
  table.insert(deaths, now)
  if #deaths >= M.most_deaths then
    tell(
      ('the server ended %d times (code %d, signal %d) and is not started again; :Seedling log says why, :Seedling restart tries'):format(#deaths, code, signal),
      vim.log.levels.ERROR
    )
    return
  end
  tell(('the server ended (code %d, signal %d) and is started again'):format(code, signal), vim.log.levels.WARN)
  vim.schedule(function()
    renew(0)
  end)
end

local function config()
  local o = options()
  local capabilities = lsp.protocol.make_client_capabilities()
  -- Said also where Neovim itself draws none: this plugin does, and the server need not offer
  -- the same as entries of the completion list.
  capabilities.textDocument.inlineCompletion = capabilities.textDocument.inlineCompletion or { dynamicRegistration = false }
  capabilities.experimental = vim.tbl_extend('force', capabilities.experimental or {}, { seedlingStatus = true, seedlingNextEditsElsewhere = true })
  local c = {
    name = 'seedling',
    cmd = o.cmd,
    capabilities = capabilities,
    init_options = o.settings,
    settings = { seedling = o.settings },
    handlers = {
      ['seedling/status'] = function(_, s)
        status = s
        api.nvim_exec_autocmds('User', { pattern = 'SeedlingStatus', modeline = false })
        vim.cmd.redrawstatus()
      end,
      ['workspace/applyEdit'] = function(...)
        return require('seedling.preview').apply_edit(...)
      end,
    },
    on_exit = function(code, signal)
      exited(code, signal)
    end,
    on_attach = function(_, buf)
      require('seedling.ghost').attach(buf)
      if o.next_edits then
        require('seedling.nextedit').attach(buf)
      end
    end,
  }
  -- Where Neovim keeps configurations (0.11), what a person put there with
  -- vim.lsp.config('seedling', …) has the last word.
  if lsp.config then
    local theirs = lsp.config._configs and lsp.config._configs.seedling
    c = vim.tbl_deep_extend('force', c, theirs or {})
  end
  return c
end

local function wanted(buf)
  local ft = vim.bo[buf].filetype
  if vim.bo[buf].buftype ~= '' or ft == '' then
    return false
  end
  local list = options().filetypes
  return list[1] == '*' or vim.tbl_contains(list, ft)
end

--- Gives a buffer to the server, which is started with the first one.
function M.attach(buf)
  if not api.nvim_buf_is_valid(buf) or not wanted(buf) or M.of(buf) then
    return
  end
  if not M.program() then
    if not missing_told then
      missing_told = true
      tell(M.hint(), vim.log.levels.WARN)
    end
    return
  end
  asked_to_stop = false
  local c = config()
  if not c.root_dir then
    c.root_dir = vim.fs.root(buf, { '.git', 'go.mod', 'pyproject.toml' })
  end
  api.nvim_buf_call(buf, function()
    lsp.start(c, { bufnr = buf })
  end)
end

function M.attach_all()
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(buf) then
      M.attach(buf)
    end
  end
end

--- Ends the server and starts it anew.
function M.restart()
  deaths, missing_told, asked_to_stop = {}, false, true
  local old = lsp.get_clients({ name = 'seedling' })
  for _, c in ipairs(old) do
    c.stop(c, true)
  end
  status = { state = 'starting' }
  renew(0)
end

--- Changes the server's settings while it runs.
function M.configure(change)
  local o = options()
  o.settings = vim.tbl_deep_extend('force', o.settings, change)
  for _, c in ipairs(lsp.get_clients({ name = 'seedling' })) do
    c.settings = { seedling = o.settings }
    M.notify(c, 'workspace/didChangeConfiguration', { settings = c.settings })
  end
end

return M

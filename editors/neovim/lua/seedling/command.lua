-- :Seedling
local M = {}

local client = require('seedling.client')

local function say(text, level)
  vim.notify('Seedling: ' .. text, level or vim.log.levels.INFO)
end

local function here()
  local c = client.of(0)
  if not c then
    say(client.program() and 'this buffer has no server (see :checkhealth seedling)' or client.hint(), vim.log.levels.WARN)
  end
  return c
end

local sub = {}

function sub.status()
  if not here() then
    return
  end
  local state, message, model = client.state()
  say(state .. (model ~= '' and ', model ' .. model or '') .. (message ~= '' and ': ' .. message or ''))
end

function sub.toggle()
  local on = require('seedling').options.settings.enable == false
  client.configure({ enable = on })
  require('seedling.ghost').dismiss(0)
  say(on and 'on' or 'off')
end

--- Writes the body of the function at the cursor.
function sub.fill()
  local c = here()
  if not c then
    return
  end
  local buf = vim.api.nvim_get_current_buf()
  local at = vim.lsp.util.make_position_params(0, c.offset_encoding)
  client.request(c, 'workspace/executeCommand', {
    command = 'seedling.writeFunction',
    arguments = { { uri = at.textDocument.uri, version = vim.lsp.util.buf_versions[buf], position = at.position } },
  }, function(err)
    if err then
      say(err.message, vim.log.levels.WARN)
    end
  end, buf)
end

--- Offers the model's changes of the lines.
function sub.edit(args)
  if not here() then
    return
  end
  local range
  if args.range > 0 then
    local last = vim.fn.getline(args.line2)
    range = { start = { args.line1, 0 }, ['end'] = { args.line2, #last } }
  end
  vim.lsp.buf.code_action({
    range = range,
    filter = function(action)
      return vim.startswith(action.title, 'Seedling: ')
    end,
  })
end

function sub.next()
  require('seedling.nextedit').go()
end

function sub.stats()
  local program = client.program()
  if not program then
    return say(client.hint(), vim.log.levels.WARN)
  end
  vim.system({ program, 'stats' }, { text = true }, function(out)
    vim.schedule(function()
      say(vim.trim(out.stdout .. out.stderr))
    end)
  end)
end

function sub.log()
  local log = vim.lsp.log and vim.lsp.log.get_filename or vim.lsp.get_log_path
  vim.cmd.tabedit(vim.fn.fnameescape(log()))
end

function sub.restart()
  client.restart()
end

function M.complete(lead, line)
  if #vim.split(vim.trim(line), '%s+') > 2 then
    return {}
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, vim.tbl_keys(sub))
end

function M.run(args)
  require('seedling').setup() -- for those who load the plugin late
  local name = args.fargs[1] or 'status'
  if not sub[name] then
    local names = vim.tbl_keys(sub)
    table.sort(names)
    return say(('there is no :Seedling %s; there are %s'):format(name, table.concat(names, ', ')), vim.log.levels.ERROR)
  end
  sub[name](args)
end

return M

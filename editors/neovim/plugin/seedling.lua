-- Loaded by Neovim at its start. What costs time is loaded with the first file that is ours.
if vim.g.loaded_seedling then
  return
end
vim.g.loaded_seedling = true

vim.api.nvim_create_user_command('Seedling', function(args)
  require('seedling.command').run(args)
end, {
  nargs = '*',
  range = true,
  desc = 'Seedling: status, toggle, fill, edit, next, stats, log, restart',
  complete = function(lead, line)
    return require('seedling.command').complete(lead, line)
  end,
})

-- Whoever calls require('seedling').setup() with options does so before this.
vim.api.nvim_create_autocmd('VimEnter', {
  once = true,
  callback = function()
    if vim.g.seedling_auto ~= false then
      require('seedling').setup()
    end
  end,
})
